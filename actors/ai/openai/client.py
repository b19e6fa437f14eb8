"""One HTTP call to a provider, and the consequence of each failure for the job. Only this module decides about its retries."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from actors.ai.openai.deadline import Deadline
from actors.ai.openai.wire import WIRES
from actors.ai.prompting import visible
from actors.retry_after import AWAY, bounded, retry_after
from zeke_jobs import Defer, Reject, Retry, Throttled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.ai.openai.settings import OpenAISettings

# These failures come before the request has reached the provider, so they are free. After any other one it may have worked.
_NEVER_SENT = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.LocalProtocolError,
    httpcore.UnsupportedProtocol,
)
_MAX_BYTES = 4 * 1024 * 1024
_SPENT_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_RESETS = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST_DURATION = 100  # characters; a longer one is none
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


class CallFailed(Exception):
    """A call without an answer.

    Attributes:
        outcome: rate_limited, timeout, failed or invalid.
        verdict: The exception for the job: ``Retry``, ``Defer`` or ``Reject``.
        is_charged: Whether the provider may charge for it.
        rests: Seconds for which the provider is left alone by all jobs; None after a failure of this call alone.
    """

    def __init__(self, outcome: str, verdict: Exception, *, is_charged: bool, rests: float | None = None) -> None:
        super().__init__(str(verdict))
        self.outcome = outcome
        self.verdict = verdict
        self.rests = rests
        self.is_charged = is_charged


@dataclass(frozen=True, slots=True)
class Reply:
    """The JSON of a good answer, and how long it took."""

    body: Mapping[str, Any]
    latency_ms: int


class Client:
    """A provider's address and key; one per process, safe to share between threads.

    It uses httpcore, on which httpx is built: an answer costs half as much as with httpx, and the rest of httpx
    (redirects, proxies from the environment, decoding) is not wanted here.
    """

    def __init__(self, settings: OpenAISettings) -> None:
        self._timeout = settings.timeout.total_seconds()
        self._base = settings.base_url
        self._limit = settings.limit
        self._headers = [(b"Accept-Encoding", b"identity"), (b"Content-Type", b"application/json")]
        given = {} if settings.api_key is None else WIRES[settings.kind].headers(settings.api_key.get_secret_value())
        given |= {name: value.get_secret_value() for name, value in settings.extra_headers.items()}
        self._headers += [(name.encode(), value.encode()) for name, value in given.items()]
        self._query = settings.query
        self._timeouts = {"timeout": {"pool": self._timeout}}
        self._deadline = Deadline()
        tls = httpx.create_ssl_context(trust_env=False) if self._base.startswith("https://") else None
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=self._deadline,
        )
        self._address = cache(self._address_of)

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def post(self, path: str, payload: bytes) -> Reply:
        """Send a JSON body, and read the answer within the timeout.

        Raises:
            CallFailed: there is no answer; it has the verdict for the job.
        """
        started = time.monotonic()
        self._deadline.end = started + self._timeout
        url, host = self._address(path)
        headers = [(b"Host", host), (b"Content-Length", str(len(payload)).encode()), *self._headers]
        request = httpcore.Request("POST", url, headers=headers, content=payload, extensions=self._timeouts)
        try:
            with closing(self._pool.handle_request(request)) as response:
                body = self._read(response)
        except _NEVER_SENT as error:
            reason = f"the AI provider cannot be reached: {error!r}"
            raise CallFailed("failed", Defer(AWAY, reason), is_charged=False, rests=AWAY) from error
        except httpcore.TimeoutException as error:
            raise self._too_slow() from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = f"the connection to the AI provider broke off: {error!r}"
            raise CallFailed("failed", Retry(reason=reason), is_charged=True) from error
        if response.status != httpx.codes.OK:
            said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            raise refusal(response.status, said, body, self._limit)
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise CallFailed("invalid", Retry(reason="the AI provider answered no JSON"), is_charged=True) from error
        if not isinstance(parsed, dict):
            raise CallFailed("invalid", Retry(reason="the AI provider answered no JSON object"), is_charged=True)
        return Reply(parsed, round((time.monotonic() - started) * 1000))

    def _address_of(self, path: str) -> tuple[httpcore.URL, bytes]:
        base = httpx.URL(self._base)
        url = base.copy_with(path=base.path.rstrip("/") + path).copy_merge_params(self._query)
        parts = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        return parts, url.netloc

    def _read(self, response: httpcore.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > _MAX_BYTES:
                reason = f"the AI provider answered more than {_MAX_BYTES} bytes"
                raise CallFailed("invalid", Retry(reason=reason), is_charged=True)
        return bytes(body)

    def _too_slow(self) -> CallFailed:
        verdict = Retry(reason=f"the AI provider took longer than {self._timeout:g} s")
        return CallFailed("timeout", verdict, is_charged=True)


def refusal(status: int, headers: Mapping[str, str], body: bytes, limit: str = "ai") -> CallFailed:
    """The failure for an answer other than 200.

    429 and 503 with a time to wait close the limit for all and defer the job, which costs no attempt. Without one they are
    retried, and so are 408, 409 and other 5xx. A spent quota and every other 4xx fail the job, because no retry would help.
    A 5xx other than 503 is charged: the model may have worked before a gateway gave up.
    """
    code, message = _error(body)
    wait = wait_seconds(headers)
    said = f"the AI provider answered {status}{f' {code}' if code else ''}: {message}"
    if code in _SPENT_CODES:
        return CallFailed("failed", Reject(said), is_charged=False)
    if status in {429, 503} and wait is not None:
        return CallFailed("rate_limited", Throttled(limit, wait, said), is_charged=False, rests=wait)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return CallFailed("rate_limited", Retry(reason=said), is_charged=False)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in {408, 409}:
        is_charged = status >= httpx.codes.INTERNAL_SERVER_ERROR and status != httpx.codes.SERVICE_UNAVAILABLE
        return CallFailed("failed", Retry(wait, said), is_charged=is_charged)
    return CallFailed("failed", Reject(said), is_charged=False)


def wait_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait, at most a day; None if it names no time.

    Read from ``retry-after-ms``, else ``retry-after`` (seconds or a date), else the longest ``x-ratelimit-reset-*`` of a used-up
    limit.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (wait := retry_after(headers.get(name, ""), unit=unit)) is not None:
            return wait
    resets = [_duration(headers[name]) for name in _RESETS if headers.get(name) and _ran_out(headers, name)]
    known = [reset for reset in resets if reset is not None]
    return bounded(max(known)) if known else None


def _ran_out(headers: Mapping[str, str], reset: str) -> bool:
    return headers.get(reset.replace("reset", "remaining"), "0").strip() == "0"


def _duration(text: str) -> float | None:
    """The seconds of ``6m0s``, ``1.2s``, ``350ms`` or plain seconds."""
    if len(text) > _LONGEST_DURATION:
        return None
    if re.fullmatch(r"\d+(?:\.\d+)?", text.strip()):
        return float(text)
    parts = _PART.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None


def _error(body: bytes) -> tuple[str, str]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", visible(body[:200].decode("utf-8", "replace"))
    if isinstance(error, dict):
        return visible(str(error.get("code") or "")[:100]), visible(str(error.get("message") or "")[:300])
    return "", visible(str(error)[:300])
