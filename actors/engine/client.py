"""The Engine somewhere else, by the product's HTTP contract."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import httpx
from pydantic import ValidationError

from actors.engine.contract import ContentItem, ContentSource, ContractModel, EngineError, Failure
from actors.engine.fetch import retry_after

M = TypeVar("M", bound=ContractModel)

_CODES: frozenset[str] = frozenset(get_args(Failure))
_LARGEST = 32 * 1024 * 1024


class HttpEngine:
    """Asks an Engine: ``POST /ingest`` and ``POST /source``, answered with or without a ``data`` wrapper.

    The product's Engine gives neither text nor a feed's items; those stay None, and what follows says so.

    Args:
        url: Base address, such as ``http://engine:3010``.
        token: Bearer token.
        timeout: Seconds for one answer.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 60.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)
        self._url = url

    def fetch_item(self, url: str) -> ContentItem:
        """Get the page at ``url``.

        Raises:
            EngineError: with the Engine's reason; ``engine_failed`` when it is the Engine that fails.
        """
        return self._ask("/ingest", {"url": url}, ContentItem)

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        """Get the feed at ``url``; ``etag`` and ``last_modified`` are passed on to an Engine that understands them.

        Raises:
            EngineError: as for ``fetch_item``.
        """
        body = {"url": url, "etag": etag, "lastModified": last_modified}
        return self._ask("/source", {name: value for name, value in body.items() if value}, ContentSource)

    def health(self) -> dict[str, Any]:
        """What the Engine says of itself and of its providers.

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

    def _exchange(self, method: str, path: str, body: dict[str, str] | None) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=body)
        except httpx.TimeoutException as error:
            raise EngineError("engine_failed", f"the Engine at {self._url} did not answer in time") from error
        except httpx.HTTPError as error:
            raise EngineError("engine_failed", f"the Engine at {self._url} cannot be reached: {error}") from error
        if response.is_success:
            return response
        raise _failure(response)


def _failure(response: httpx.Response) -> EngineError:
    """An error answer. Ours carries the code; the product's only a sentence and 400, 404 or 500."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    message = str(body.get("error") or f"the Engine answers {response.status_code}")[:1000]
    code = body.get("code")
    if code in _CODES:
        wait = body.get("retryAfter")
        return EngineError(
            code,
            message,
            transient=bool(body["transient"]) if "transient" in body else None,
            retry_after=float(wait) if isinstance(wait, int | float) else None,
        )
    by_status: dict[int, Failure] = {400: "invalid_url", 404: "not_found"}
    if (known := by_status.get(response.status_code)) is not None:
        return EngineError(known, message)
    passing = response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or response.status_code in {408, 429}
    wait_header = retry_after(response.headers.get("retry-after", ""))
    return EngineError("engine_failed", message, transient=passing, retry_after=wait_header)


def _object(response: httpx.Response) -> dict[str, Any]:
    if len(response.content) > _LARGEST:
        raise EngineError("too_large", f"the Engine's answer is larger than {_LARGEST} bytes")
    try:
        answer = response.json()
    except ValueError as error:
        raise EngineError("engine_failed", "the Engine's answer is not JSON", transient=False) from error
    if not isinstance(answer, dict):
        kind = type(answer).__name__
        raise EngineError("engine_failed", f"expected an object from the Engine, got {kind}", transient=False)
    return answer
