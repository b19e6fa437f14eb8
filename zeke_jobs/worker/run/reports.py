"""Reports of a running handler, written outside its transaction: visible at once, and kept if the transaction is rolled back."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from zeke_jobs.core import bounds
from zeke_jobs.core.redaction import redact
from zeke_jobs.errors import ClaimLost
from zeke_jobs.payload import json_text
from zeke_jobs.postgres.pool import DISCONNECTED, Pool
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.outcome import kept
from zeke_jobs.worker.run import leases
from zeke_jobs.worker.run.steps import Steps
from zeke_jobs.worker.runtime import Runtime

_PROGRESS_EVERY = 1.0  # seconds


class Shared(NamedTuple):
    """The objects that all jobs of a process share.

    Attributes:
        worker: The process.
        runtime: Its configuration.
        pool: A connection for each handler.
        statement_pool: Connections for short statements outside a handler's transaction. In ``pool``, every connection may be in
            use by a thread that waits for a second one, and all would wait for ever.
    """

    worker: UUID
    runtime: Runtime
    pool: Pool
    statement_pool: Pool


class Reports(Steps):
    """The part of a job's context with the reports: progress, costs, units, throttling, leases."""

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
        add_costs({self: amount}, currency)

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
        self.logger.warning(
            "limit closed: its provider throttles", limit=limit, seconds=round(seconds, 1), reason=reason
        )

    @contextmanager
    def lease(self, name: str, limit: int = 1, *, wait: timedelta | float | None = None) -> Iterator[None]:
        self._check_may_block("lease")
        if name in self._leases:
            raise RuntimeError(f"expected a lease that this job does not hold, got {name!r} for the second time")
        with self._statement_pool.connection() as conn:
            leases.take(conn, name, limit, self._claim, self._held["worker"], wait=wait)
        self._leases.add(name)
        try:
            yield
        finally:
            self._leases.discard(name)
            try:
                with self._statement_pool.connection() as conn:
                    leases.release(conn, name, self._claim)
            except DISCONNECTED as error:
                self.logger.warning("lease not given back; it ends with the job", lease=name, error=str(error).strip())


def add_costs(amounts: Mapping[Reports, Decimal | int], currency: str) -> None:
    """Add to the costs of several jobs in one statement. Raises the errors of ``Context.add_cost``, after all were added."""
    for job, amount in amounts.items():
        job._check_may_block("add_cost")  # noqa: SLF001 (this module's own, as below)
        bounds.check_cost(amount, currency)
    held = [job._held for job in amounts]  # noqa: SLF001
    given = {"ids": [one["id"] for one in held], "claims": [one["claim"] for one in held], "currency": currency}
    with job._statement_pool.connection() as conn:  # noqa: SLF001
        rows = SQL.all(conn, "job/add_cost", worker=held[0]["worker"], amounts=[*amounts.values()], **given)
    known = {row["id"]: row for row in rows}
    for job, amount in amounts.items():
        if (row := known.get(job.job_id)) is None:
            raise ClaimLost(f"job {job.job_id} is no longer ours; {amount} {currency} were not added to its cost")
        if row["currency"] != currency:
            raise bounds.mixed_costs(row["currency"], currency)
        if row["missed"] is not None:
            told = {"budget": row["missed"], "cost": f"{amount} {currency}"}
            job.logger.warning("a budget in another currency does not count this cost", **told)
