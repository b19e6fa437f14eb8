"""The handler's view of a chunk: the jobs that it runs in one call."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Generic

from zeke_jobs.core.context import Context, S
from zeke_jobs.core.logs import get_logger
from zeke_jobs.errors import Reject, Retry


class ChunkContext(Generic[S]):
    """The second argument of a handler that takes a list. ``ChunkContext[MySettings]`` makes ``ctx.settings`` a ``MySettings``.

    Attributes:
        jobs: The context of each job, in the order of the payloads: its attempt, cost, sends and transaction.
        task_id: Canonical id of the task.
        logger: A structlog logger with the task bound.
        settled: The errors with which ``fail`` (a ``Reject``) and ``retry`` (a ``Retry``) end single jobs, by their
            index.
    """

    def __init__(self, jobs: Sequence[Context[S]], is_cancelled: Callable[[int], bool]) -> None:
        self.jobs = jobs
        self.task_id = jobs[0].task_id
        self.logger = get_logger("zeke_jobs.job", task=self.task_id, jobs=len(jobs))
        self.settled: dict[int, Exception] = {}
        self._is_cancelled = is_cancelled

    @property
    def settings(self) -> S:
        """The task's ``settings`` from jobs.yaml."""
        return self.jobs[0].settings

    def service(self, name: str) -> Any:
        """See ``Context.service``."""
        return self.jobs[0].service(name)

    async def aservice(self, name: str) -> Any:
        """See ``Context.aservice``."""
        return await self.jobs[0].aservice(name)

    def cancelled(self, i: int) -> bool:
        """Whether job ``i`` was cancelled since the call began: its result will be discarded, and its transactions refused."""
        return self._is_cancelled(i)

    def fail(self, i: int, error: Exception | str) -> None:
        """End job ``i`` as failed, without a retry; the other jobs go on. It takes effect when the handler ends."""
        if not isinstance(error, Reject):
            cause, error = error, Reject(error if isinstance(error, str) else f"{type(error).__name__}: {error}")
            error.__cause__ = cause if isinstance(cause, Exception) else None
        self._settle(i, error)

    def retry(
        self, i: int, delay: timedelta | float | None = None, reason: str = "", *, limit: int | None = None
    ) -> None:
        """Try job ``i`` again, like ``raise Retry(delay, reason, limit=limit)`` in a handler of one job. Others go on."""
        self._settle(i, Retry(delay, reason, limit=limit))

    def add_costs(self, amounts: Mapping[int, Decimal | int], currency: str = "USD") -> None:
        """Call ``add_cost`` for each of these jobs, by their index; in a worker, this is one statement."""
        if amounts:
            self.jobs[0]._add_costs({self._job(i): amount for i, amount in amounts.items()}, currency)  # noqa: SLF001

    def _settle(self, i: int, error: Exception) -> None:
        self._job(i)
        self.settled[i] = error

    def _job(self, i: int) -> Context[S]:
        if not 0 <= i < len(self.jobs):
            raise IndexError(f"expected the place of a job from 0 to {len(self.jobs) - 1}, got {i}")
        return self.jobs[i]
