"""The steps of a handler. The result of each step is stored, so that a later attempt does not run the step again."""

import inspect
import json
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from zeke_jobs.core.context import Context, P, R
from zeke_jobs.payload import json_text

LONGEST_NAME = 256  # bytes


class Steps(Context[Any]):
    """The part of a context that runs steps."""

    _kept: dict[str, str] | None = None
    _named: frozenset[str] = frozenset()

    @abstractmethod
    def _kept_steps(self) -> dict[str, str]:
        """The results that earlier attempts kept, as JSON text."""

    @abstractmethod
    def _keep_step(self, name: str, result: str) -> str:
        """Store a result, and return the kept one."""

    def _check_may_block(self, form: str) -> None:
        """Refuse a blocking call on the event loop. Here it is allowed, because the handler runs in a thread."""

    def step(self, name: str, function: Callable[P, R], /, *args: P.args, **options: P.kwargs) -> R:
        if not isinstance(name, str) or not 0 < len(name.encode()) <= LONGEST_NAME:
            raise ValueError(f"expected the name of a step of 1 to {LONGEST_NAME} bytes, got {name!r}")
        if name in self._named:
            raise ValueError(f"expected each step under a name of its own, got {name!r} twice; number those of a loop")
        self._named |= {name}
        result: Any
        if inspect.iscoroutinefunction(function):
            result = self._awaited_step(name, lambda: function(*args, **options))
        else:
            self._check_may_block("step")
            self._kept = self._kept_steps() if self._kept is None else self._kept
            kept = self._kept.get(name)
            text = self._keep_step(name, json_text.encode(function(*args, **options))) if kept is None else kept
            result = json.loads(text)
        return result  # type: ignore[no-any-return]

    async def _awaited_step(self, name: str, begin: Callable[[], Awaitable[Any]]) -> Any:
        if self._kept is None:
            self._kept = await self._beside(self._kept_steps)
        if (kept := self._kept.get(name)) is None:
            kept = await self._beside(self._keep_step, name, json_text.encode(await begin()))
        return json.loads(kept)
