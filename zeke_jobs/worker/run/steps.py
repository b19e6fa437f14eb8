"""The steps of a handler. The result of each step is kept, so that a later attempt does not run it again."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

from zeke_jobs.payload import json_text

LONGEST_NAME = 256  # bytes


class Steps:
    """``read`` returns the results that earlier attempts kept, as JSON text; ``keep`` stores one, and returns the kept one.

    ``beside`` awaits them for the steps of an async handler.
    """

    def __init__(
        self, read: Callable[[], dict[str, str]], keep: Callable[[str, str], str], beside: Callable[..., Awaitable[Any]]
    ) -> None:
        self._read = read
        self._keep = keep
        self._beside = beside
        self._kept: dict[str, str] | None = None
        self._named: set[str] = set()

    def run(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The result of the step; for a coroutine function, an awaitable of it.

        Raises:
            ValueError: the name is not valid, or this run used it already.
            UnfitForJson: the result is no JSON value, or larger than 1 MiB.
        """
        if not isinstance(name, str) or not 0 < len(name.encode()) <= LONGEST_NAME:
            raise ValueError(f"expected the name of a step of 1 to {LONGEST_NAME} bytes, got {name!r}")
        if name in self._named:
            raise ValueError(f"expected each step under a name of its own, got {name!r} twice; number those of a loop")
        self._named.add(name)
        if inspect.iscoroutinefunction(function):
            return self._awaited(name, lambda: function(*args, **options))
        self._kept = self._read() if self._kept is None else self._kept
        kept = self._kept.get(name)
        return json.loads(self._keep(name, json_text.encode(function(*args, **options))) if kept is None else kept)

    async def _awaited(self, name: str, begin: Callable[[], Awaitable[Any]]) -> Any:
        if self._kept is None:
            self._kept = await self._beside(self._read)
        kept = self._kept.get(name)
        return json.loads(
            await self._beside(self._keep, name, json_text.encode(await begin())) if kept is None else kept
        )
