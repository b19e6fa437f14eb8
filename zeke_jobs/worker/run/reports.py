"""Implements a handler's steps, reports and leases. Reports and leases survive a rollback by the handler."""

import inspect
import json
import random
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.core import bounds
from zeke_jobs.core.context import Context, P, R
from zeke_jobs.core.redaction import redact
from zeke_jobs.errors import ClaimLost, Defer
from zeke_jobs.payload import json_text
from zeke_jobs.postgres.pool import DISCONNECTED, Pool
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.outcome import kept
from zeke_jobs.worker.runtime import Runtime

LONGEST_NAME = 256  # bytes
_PROGRESS_EVERY = 1.0  # seconds
_AGAIN_IN = (1.0, 3.0)  # seconds before the next try, chosen at random so that waiting jobs do not come back together


class Steps(Context[Any]):
    """Is the part of a job's context that implements ``ctx.step``."""

    _kept: dict[str, str] | None = None
    _named: frozenset[str] = frozenset()

    @abstractmethod
    def _kept_steps(self) -> dict[str, str]:
        """Return the step results that earlier attempts stored, as a mapping of names to JSON texts."""

    @abstractmethod
    def _keep_step(self, name: str, result: str) -> str:
        """Store a step's result unless the step has one in the database. Returns the stored result."""

    def _check_may_block(self, form: str) -> None:
        """Refuse calls that would block the event loop. There are none here, because the handler runs in a thread."""

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


class Shared(NamedTuple):
    """Holds the objects that all jobs of a process share."""

    worker: UUID
    runtime: Runtime
    pool: Pool  # has a connection for each handler
    statement_pool: Pool  # for short statements outside transactions, so that no thread takes two of ``pool``


class Reports(Steps):
    """Is the part of a job's context that takes leases, and reports progress, costs, used units and throttling."""

    def __init__(self, claim: Claim, shared: Shared) -> None:
        self._statement_pool = shared.statement_pool
        self._claim = claim
        self._held: dict[str, Any] = {"id": claim.id, "claim": claim.number, "worker": shared.worker}
        self._leases: set[str] = set()
        self._next_progress = 0.0

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        self._check_may_block("progress")
        now = time.monotonic()
        if now < self._next_progress:
            return
        self._next_progress = now + _PROGRESS_EVERY
        for name, figure in (("done", done), ("total", total)):
            if not isinstance(figure, float | int) and not (figure is None and name == "total"):
                raise TypeError(f"expected {name} as a number, got {figure!r}")
        state = json_text.encode({"done": done, "total": total, "note": redact(str(note))})
        with self._statement_pool.connection() as conn:
            SQL.run(conn, "job/progress", progress=state, **self._held)

    def add_cost(self, amount: Decimal | int, currency: str = "USD") -> None:
        self._add_costs({self: amount}, currency)

    def _add_costs(self, amounts: Mapping[Any, Decimal | int], currency: str) -> None:
        for amount in amounts.values():
            self._check_may_block("add_cost")
            bounds.check_cost(amount, currency)
        held = [job._held for job in amounts]  # noqa: SLF001 (the member is of this class)
        given = {"ids": [one["id"] for one in held], "claims": [one["claim"] for one in held], "currency": currency}
        with self._statement_pool.connection() as conn:
            rows = SQL.all(conn, "job/add_cost", worker=self._held["worker"], amounts=[*amounts.values()], **given)
        known = {row["id"]: row for row in rows}
        for job, amount in amounts.items():
            if (row := known.get(job.job_id)) is None:
                raise ClaimLost(f"job {job.job_id} is no longer ours; {amount} {currency} were not added to its cost")
            if row["currency"] != currency:
                raise bounds.mixed_costs(row["currency"], currency)
            if row["missed"] is not None:
                told = {"budget": row["missed"], "cost": f"{amount} {currency}"}
                job.logger.warning("a budget in another currency does not count this cost", **told)

    def used(self, /, **units: float) -> None:
        self._check_may_block("used")
        bounds.check_units(units)
        with self._statement_pool.connection() as conn:
            SQL.run(conn, "job/report", id=self.job_id, claim=self._claim.number, units=json.dumps(units))

    def throttled(self, limit: str, retry_after: timedelta | float, reason: str = "") -> None:
        self._check_may_block("throttled")
        seconds = bounds.delay("retry_after", retry_after).total_seconds()
        with self._statement_pool.connection() as conn:
            params = {"limit": limit, "seconds": seconds, "job": self.job_id, "why": kept(reason) or "429"}
            closed_until = SQL.value(conn, "limits/throttle", **params)
        if closed_until is None:
            raise ValueError(f"expected the name of a limit in jobs.yaml, got {limit!r}")
        told = {"limit": limit, "seconds": round(seconds, 1), "reason": reason}
        self.logger.warning("limit closed: its provider throttles", **told)

    @contextmanager
    def lease(self, name: str, limit: int = 1, *, wait: timedelta | float | None = None) -> Iterator[None]:
        self._check_may_block("lease")
        if name in self._leases:
            raise RuntimeError(f"expected a lease that this job does not hold, got {name!r} for the second time")
        with self._statement_pool.connection() as conn:
            take_lease(conn, name, limit, self._claim, self._held["worker"], wait=wait)
        self._leases.add(name)
        try:
            yield
        finally:
            self._leases.discard(name)
            try:
                with self._statement_pool.connection() as conn:
                    SQL.run(conn, "lease/release", name=name, job=self.job_id, claim=self._claim.number)
            except DISCONNECTED as error:
                self.logger.warning("lease not given back; it ends with the job", lease=name, error=str(error).strip())


def take_lease(
    conn: Connection, name: str, limit: int, claim: Claim, worker: UUID, *, wait: timedelta | float | None = None
) -> None:
    """Take a lease on ``name`` for a job that ``worker`` runs. It ends when the job's claim ends, or earlier."""
    if limit < 1:
        raise ValueError(f"expected a limit of at least 1 for the lease {name}, got {limit}")
    row = SQL.only(conn, "lease/take", name=name, limit=limit, worker=worker, job=claim.id, claim=claim.number)
    if row["outcome"] == "lost":
        raise ClaimLost(f"job {claim.id} is no longer ours, or was cancelled; it gets no lease")
    if row["outcome"] == "taken":
        since = f"{row['since'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        raise taken(name, f"by {row['task']} {row['holder']} since {since}", wait)


def taken(name: str, by: str, wait: timedelta | float | None) -> Defer:
    """Return the exception for a job that did not get a lease."""
    chance = random.uniform(*_AGAIN_IN)  # noqa: S311 (this number spreads load, and is no secret)
    return Defer(chance if wait is None else wait, f"lease {name} is taken {by}")
