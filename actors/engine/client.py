"""Sends requests to an Engine on another server, by the HTTP contract in docs/engine.md."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_core import from_json

from actors.engine.contract import ContentItem, ContentSource, EngineError, Found
from actors.engine.discovery.addresses import typed
from actors.engine.fetch import EVERYWHERE, Fetched, Fetcher, Limits
from actors.outcomes import REASONS
from actors.retry_after import bounded, retry_after
from zeke_jobs import Payload

M = TypeVar("M", bound=Payload)

# With one of these statuses, the Engine refuses all requests. A 500 may concern only one page.
_AWAY = {401, 403, 429, 503}
_BY_STATUS = {400: "invalid_url", 404: "not_found"}
_LARGEST = 32 * 1024 * 1024


class HttpEngine:
    """Calls the Engine at an address such as ``http://engine:3010``. The answer may be under the key ``data``.

    An Engine may omit an item's text or a feed's items, which are None then. ``timeout`` is in seconds.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 60.0, max_entries: int = 300) -> None:
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._limits = Limits(_LARGEST, _LARGEST, timeout, content_types=("",))
        self._max_entries = max_entries
        self._fetcher = Fetcher("zeke-jobs", EVERYWHERE)
        self._url = url.rstrip("/")

    def fetch_item(self, url: str) -> ContentItem:
        return self._ask("/ingest", {"url": url}, ContentItem)

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        body = {"url": url, "etag": etag, "lastModified": last_modified}
        source = self._ask("/source", {name: value for name, value in body.items() if value}, ContentSource)
        return source.model_copy(update={"items": source.items[: self._max_entries]}) if source.items else source

    def discover(self, text: str) -> Found:
        try:
            return self._ask("/discover", {"url": text}, Found)
        except EngineError as error:
            # This Engine cannot discover feeds, so ask it for the feed at the address.
            if error.code != "not_found":
                raise
        source = self.fetch_source(typed(text))
        if source.items is None:
            raise EngineError("engine_failed", "the Engine gives no list of a feed's items")
        return Found(feeds=[source.model_copy(update={"url": source.url or typed(text)})])

    def _ask(self, path: str, body: dict[str, str], model: type[M]) -> M:
        try:
            answer = self._fetcher.ask(self._url + path, json.dumps(body).encode(), self._limits, self._headers)
        except EngineError as error:
            failed = "cannot be reached" if error.is_unreachable else "gives no answer"
            reason = f"the Engine at {self._url} {failed}: {error}"
            raise EngineError("engine_failed", reason, is_away=error.is_unreachable) from error
        if not 200 <= answer.status < 300:
            raise _failure(answer)
        try:
            told = from_json(answer.body)
            wrapped = told.get("data") if isinstance(told, dict) else None
            return model.model_validate(wrapped if isinstance(wrapped, dict) else told)
        except ValueError as error:
            faults = error.errors()[:5] if isinstance(error, ValidationError) else []
            where = ", ".join(".".join(map(str, fault["loc"])) for fault in faults) or "it is not a JSON object"
            reason = f"the Engine's answer does not fit the contract: {where}"
            raise EngineError("engine_failed", reason, transient=False) from error


class _Refusal(Payload):
    """Describes the error that an Engine sends. An Engine may omit every field except ``error``."""

    error: str = ""
    code: str | None = None
    transient: bool | None = None
    retry_after: float | None = Field(default=None, allow_inf_nan=False)
    unreachable: bool = False


def _failure(response: Fetched) -> EngineError:
    try:
        told = _Refusal.model_validate_json(response.body)
    except ValidationError:
        told = _Refusal()
    message = told.error or f"the Engine answers {response.status}"
    is_away = response.status in _AWAY and told.code in (None, "engine_failed")
    if told.code is not None and told.code in REASONS:
        asked = None if told.retry_after is None else bounded(told.retry_after)
        more = {"is_away": is_away, "is_unreachable": told.unreachable}
        return EngineError(told.code, message, transient=told.transient, retry_after=asked, **more)
    if (known := _BY_STATUS.get(response.status)) is not None:
        return EngineError(known, message)
    passing = response.status >= 500 or response.status in {408, 429}
    wait = retry_after(response.headers.get("retry-after", ""))
    return EngineError("engine_failed", message, transient=passing, retry_after=wait, is_away=is_away)
