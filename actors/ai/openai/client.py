"""Makes HTTP calls to a provider, and decides what a failed HTTP call means for the job: retry, defer or reject."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from actors.ai.openai.settings import OpenAISettings
from actors.ai.openai.wire import WIRES, tokens
from actors.ai.prompting import visible
from actors.ai.protocol import HALF, CallEnd
from actors.engine.contract import EngineError
from actors.engine.fetch import EVERYWHERE, Fetcher, Limits
from actors.outcomes import Outcome
from actors.retry_after import AWAY, bounded, retry_after
from zeke_jobs import Defer, Reject, Retry, Throttled

_MAX_BYTES = 4 * 1024 * 1024
_MAX_FILE = 64 * 1024 * 1024
_FILE_SECONDS = 600.0
# These codes mean that the credit or spending limit is used up. Anthropic sends the last, even with status 429.
_SPENT_CODES = frozenset(
    ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "enforced_spend_limit_reached")
)
_BUSY = {httpx.codes.SERVICE_UNAVAILABLE, 529}  # with 529, Anthropic says that it did not process the question
_RESETS = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST_DURATION = 100  # maximum number of characters in a text that is read as a duration
_MOST_TOKENS = 100_000_000
_LONGEST_NAME = 200  # maximum number of characters in a model's name
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(eq=False)
class CallFailed(Exception):
    """A call to a model has no answer that can be used."""

    outcome: str  # rate_limited, timeout, failed, refused, truncated or invalid
    verdict: Exception  # for the job: Retry, Defer or Reject
    is_charged: bool = field(kw_only=True)  # the provider may charge for the call
    rests: float | None = None  # seconds for which no job calls the provider; None if only this call failed
    is_about_content: bool = False  # the provider may accept a part of the content

    def __str__(self) -> str:
        return str(self.verdict)

    def end(self, model: str, known: CallEnd) -> CallEnd:
        """Return a copy of ``known``, the end of a call to ``model``, with this failure's outcome and reason."""
        rests = None if self.rests is None else (model, self.rests)
        return replace(known, outcome=self.outcome, detail=str(self), is_charged=self.is_charged, rests=rests)


def invalid(verdict: Exception) -> CallFailed:
    """Return the failure for an answer that costs money but cannot be used."""
    return CallFailed("invalid", verdict, is_charged=True)


@dataclass(frozen=True, slots=True)
class Reply:
    """Holds the JSON of a successful answer, and its latency, which is None for an answer from a batch."""

    body: Mapping[str, Any]
    latency_ms: int | None = None

    def end(self, settings: OpenAISettings, model: str) -> CallEnd:
        """Return the end of the call, with the number of tokens and the cost. A batch halves the cost."""
        answered = visible(str(self.body.get("model") or ""))[:_LONGEST_NAME] or model
        told = tokens(self.body.get("usage"))
        if not all(type(one) is int and 0 <= one <= _MOST_TOKENS for one in told):  # the cost uses these numbers
            return CallEnd("ok", model=answered, latency_ms=self.latency_ms)
        cost = settings.cost(model, *told)
        if cost is not None and self.latency_ms is None:
            cost *= HALF
        return CallEnd("ok", None, answered, *told, cost, latency_ms=self.latency_ms)


class Client:
    """Sends requests to a provider. Threads may share a client. If a call fails, ``CallFailed`` is raised."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._base = httpx.URL(settings.base_url)
        self._query = settings.query
        self._limit = settings.limit
        key = settings.api_key
        self._headers = dict(WIRES[settings.kind].headers(key.get_secret_value())) if key else {}
        self._headers |= {name: value.get_secret_value() for name, value in settings.extra_headers.items()}
        self._limits = Limits(_MAX_BYTES, 2 * _MAX_BYTES, settings.timeout.total_seconds(), content_types=("",))
        self._of_files = Limits(_MAX_FILE, 2 * _MAX_FILE, _FILE_SECONDS, content_types=("",))
        self._fetcher = Fetcher("zeke-jobs", EVERYWHERE)

    def post(self, path: str, payload: bytes, kind: str = "application/json", *, is_file: bool = False) -> Reply:
        """Send a body of type ``kind``, and return the JSON answer. With ``is_file``, the timeout is ten minutes."""
        started = time.monotonic()
        body = self._answer(path, self._of_files if is_file else self._limits, payload, kind)
        return Reply(_object(body), round((time.monotonic() - started) * 1000))

    def get(self, path: str, query: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a GET request, and return the JSON object in the answer."""
        return _object(self._answer(path, self._limits, **query))

    def lines(self, path: str) -> list[Mapping[str, Any]]:
        """Return the JSON objects in the lines of a file of at most 64 MiB. Lines without a JSON object are left out."""
        found = []
        for line in self._answer(path, self._of_files).splitlines():
            with suppress(CallFailed):
                found.append(_object(line))
        return found

    def _answer(self, path: str, limits: Limits, payload: bytes | None = None, kind: str = "", **query: str) -> bytes:
        url = self._base.copy_with(path=self._base.path.rstrip("/") + path).copy_merge_params({**self._query, **query})
        try:
            answer = self._fetcher.ask(str(url), payload, limits, {"Content-Type": kind, **self._headers})
        except EngineError as error:
            if error.is_unreachable:
                verdict = Defer(AWAY, f"the AI provider cannot be reached: {error}")
                raise CallFailed("failed", verdict, is_charged=False, rests=AWAY) from error
            # The provider may charge for the call, because the model may have run before this failure.
            outcome = {Outcome.TIMEOUT: "timeout", Outcome.TOO_LARGE: "invalid"}.get(error.code, "failed")
            reason = f"the AI provider gave no answer: {error}"
            raise CallFailed(outcome, Retry(reason=reason), is_charged=True) from error
        if answer.status != httpx.codes.OK:
            raise refusal(answer.status, answer.headers, answer.body, self._limit)
        return answer.body


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise invalid(Retry(reason="the AI provider answered no JSON object"))
    return parsed


def refusal(status: int, headers: Mapping[str, str], body: bytes, limit: str = "ai") -> CallFailed:
    """Return the failure for an HTTP status other than 200, by the table in docs/ai.md.

    A call with a 5xx status other than 501, 503 and 529 counts as charged: the model may have run before the failure.
    """
    code, message, delay = _error(body)
    wait = wait_seconds(headers)
    wait = delay if wait is None else wait
    said = f"the AI provider answered {status}{f' {code}' if code else ''}: {message}"
    if code in _SPENT_CODES:
        return CallFailed("failed", Reject(said), is_charged=False)
    if status in {429, *_BUSY} and wait is not None:
        return CallFailed("rate_limited", Throttled(limit, wait, said), is_charged=False, rests=wait)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return CallFailed("rate_limited", Retry(reason=said), is_charged=False)
    is_theirs = status >= httpx.codes.INTERNAL_SERVER_ERROR and status != httpx.codes.NOT_IMPLEMENTED
    if is_theirs or status in {408, 409}:
        is_charged = is_theirs and status not in _BUSY
        return CallFailed("failed", Retry(wait, said), is_charged=is_charged)
    return CallFailed("failed", Reject(said), is_charged=False, is_about_content=status in {400, 413, 422})


def wait_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the wait in seconds that the provider asks for, at most a day, or None if the headers name no wait."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (wait := retry_after(headers.get(name, ""), unit=unit)) is not None:
            return wait
    used_up = [name for name in _RESETS if headers.get(name.replace("reset", "remaining"), "0").strip() == "0"]
    known = [reset for name in used_up if (reset := _duration(headers.get(name, ""))) is not None]
    return bounded(max(known)) if known else None


def _duration(text: str) -> float | None:
    """Return the number of seconds in a text such as ``6m0s``, ``1.2s``, ``350ms`` or ``20``."""
    if len(text) > _LONGEST_DURATION:
        return None
    if re.fullmatch(r"\d+(?:\.\d+)?", text.strip()):
        return float(text)
    parts = _PART.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None


def _error(body: bytes) -> tuple[str, str, float | None]:
    """Return an error's code, message and wait in seconds. Gemini puts the error in a list, the wait in ``details``."""
    try:
        told = json.loads(body)
        error = (told[0] if isinstance(told, list) else told)["error"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return "", visible(body[:200].decode("utf-8", "replace")), None
    if not isinstance(error, dict):
        return "", visible(str(error)[:300]), None
    details = error.get("details")
    more = [one for one in (details if isinstance(details, list) else [details]) if isinstance(one, dict)]
    codes = (error.get("code"), *(one.get("error_code") for one in more), error.get("status"), error.get("type"))
    code = next((one for one in codes if one and isinstance(one, str)), "")
    waits = [_duration(one["retryDelay"]) for one in more if isinstance(one.get("retryDelay"), str)]
    wait = next((bounded(one) for one in waits if one is not None), None)
    return visible(code[:100]), visible(str(error.get("message") or "")[:300]), wait
