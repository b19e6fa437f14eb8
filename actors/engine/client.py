"""The Engine somewhere else, by the product's HTTP contract."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic import ValidationError

from actors.engine.contract import ContentItem, ContentSource, ContractModel, EngineError, Found
from actors.engine.decode import Decoder
from actors.engine.discovery.addresses import typed
from actors.outcomes import is_reason
from actors.retry_after import bounded, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=ContractModel)

# With these answers the Engine has not tried to serve, so no page is the cause. A 500 or 502 may be caused by one page.
_AWAY = {401, 403, 429, 503}
_LARGEST = 32 * 1024 * 1024


@dataclass(frozen=True)
class _Answer:
    """An answer that was read completely, within its bounds."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Its value.

        Raises:
            ValueError: it is not JSON, or nested too deeply for any answer of an Engine.
        """
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


class HttpEngine:
    """Asks an Engine: ``POST /ingest`` and ``POST /source``, answered with or without a ``data`` wrapper.

    The product's Engine gives neither text nor a feed's items; these stay None, and later outcomes show it.

    Args:
        url: Base address, such as ``http://engine:3010``.
        token: Bearer token.
        timeout: Seconds for one answer.
        max_entries: Most items of a feed.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 60.0, max_entries: int = 300) -> None:
        headers = {"Accept-Encoding": "gzip"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout
        self._max_entries = max_entries
        self._client = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)
        self._url = url

    def fetch_item(self, url: str) -> ContentItem:
        """Get the page at ``url``.

        Raises:
            EngineError: with the Engine's reason; ``engine_failed`` if the Engine itself fails.
        """
        return self._ask("/ingest", {"url": url}, ContentItem)

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        """Get the feed at ``url``; ``etag`` and ``last_modified`` are passed on to an Engine that understands them.

        Raises:
            EngineError: as for ``fetch_item``.
        """
        body = {"url": url, "etag": etag, "lastModified": last_modified}
        source = self._ask("/source", {name: value for name, value in body.items() if value}, ContentSource)
        return source.model_copy(update={"items": source.items[: self._max_entries]}) if source.items else source

    def discover(self, text: str) -> Found:
        """Find the feeds behind a person's input. An Engine without discovery is asked for the feed itself.

        Raises:
            EngineError: as for ``fetch_item``.
        """
        try:
            return self._ask("/discover", {"url": text}, Found)
        except EngineError as error:
            if (
                error.code != "not_found"
            ):  # the product's Engine lacks this path; from ours a 404 means that the page is missing
                raise
        source = self.fetch_source(typed(text))
        if source.items is None:
            raise EngineError("engine_failed", "the Engine gives no list of a feed's items")
        return Found(feeds=[source.model_copy(update={"url": source.url or typed(text)})])

    def health(self) -> dict[str, Any]:
        """The Engine's report about itself and its providers.

        Raises:
            EngineError: ``engine_failed``.
        """
        return _object(self._exchange("GET", "/health", None))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, path: str, body: dict[str, str], model: type[M]) -> M:
        answer = _object(self._exchange("POST", path, body))
        wrapped = answer.get("data")
        try:
            return model.model_validate(wrapped if isinstance(wrapped, dict) else answer)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors()[:5])
            raise EngineError(
                "engine_failed", f"the Engine's answer does not fit the contract: {fields}", transient=False
            ) from error

    def _exchange(self, method: str, path: str, body: dict[str, str] | None) -> _Answer:
        try:
            with self._client.stream(method, path, json=body) as response:
                answer = _Answer(response.status_code, response.headers, self._read(response))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            reason = f"the Engine at {self._url} cannot be reached: {error}"
            raise EngineError("engine_failed", reason, is_away=True) from error
        except httpx.TimeoutException as error:
            raise EngineError("engine_failed", f"the Engine at {self._url} did not answer in time") from error
        except httpx.HTTPError as error:
            raise EngineError("engine_failed", f"the Engine at {self._url} cannot be reached: {error}") from error
        if response.is_success:
            return answer
        raise _failure(answer)

    def _read(self, response: httpx.Response) -> bytes:
        """The body, within bounds of size and time."""
        deadline = time.monotonic() + self._timeout
        decoder = Decoder(response.headers.get("content-encoding", ""), _LARGEST)
        for chunk in response.iter_raw():
            decoder.feed(chunk)
            if time.monotonic() > deadline:
                raise EngineError("engine_failed", f"the Engine at {self._url} did not answer in time")
        return decoder.finish()


def _failure(response: _Answer) -> EngineError:
    """An error answer. Ours carries the code; the product's only a sentence and 400, 404 or 500."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    message = str(body.get("error") or f"the Engine answers {response.status}")[:1000]
    code = body.get("code")
    is_away = response.status in _AWAY and code in (None, "engine_failed")
    if isinstance(code, str) and is_reason(code):
        return EngineError(
            code,
            message,
            transient=bool(body["transient"]) if "transient" in body else None,
            retry_after=_seconds(body.get("retryAfter")),
            is_away=is_away,
            is_unreachable=body.get("unreachable") is True,
        )
    by_status: dict[int, str] = {400: "invalid_url", 404: "not_found"}
    if (known := by_status.get(response.status)) is not None:
        return EngineError(known, message)
    passing = response.status >= httpx.codes.INTERNAL_SERVER_ERROR or response.status in {408, 429}
    wait_header = retry_after(response.headers.get("retry-after", ""))
    return EngineError("engine_failed", message, transient=passing, retry_after=wait_header, is_away=is_away)


def _seconds(wait: Any) -> float | None:
    """The seconds to wait, if that is a plausible number."""
    if isinstance(wait, bool) or not isinstance(wait, int | float) or (isinstance(wait, float) and math.isnan(wait)):
        return None
    return bounded(wait)


def _object(response: _Answer) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError as error:
        raise EngineError("engine_failed", "the Engine's answer is not JSON", transient=False) from error
    if not isinstance(answer, dict):
        kind = type(answer).__name__
        raise EngineError("engine_failed", f"expected an object from the Engine, got {kind}", transient=False)
    return answer
