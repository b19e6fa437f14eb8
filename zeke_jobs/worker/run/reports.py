"""Reports of a running handler, written outside its transaction: visible at once, and kept if the transaction is rolled back."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zeke_jobs.core import costs
from zeke_jobs.core import units as amounts
from zeke_jobs.errors import ClaimLost
from zeke_jobs.postgres.pool import DISCONNECTED
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.finish.outcome import kept
from zeke_jobs.worker.run import leases
from zeke_jobs.worker.run.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from decimal import Decimal
    from uuid import UUID

    from zeke_jobs.postgres.pool import Pool
    from zeke_jobs.worker.claim.claims import Claim


class Reports:
    """The reports of one job. The methods are those of ``Context``.

    ``pool`` is not the handlers' pool. There, every connection may be in use by a thread that waits here for a second one, and
    all would wait for ever.
    """

    def __init__(self, pool: Pool, claim: Claim, worker: UUID, logger: Any) -> None:
        self._pool = pool
        self._claim = claim
        self._held: dict[str, Any] = {"id": claim.id, "claim": claim.number, "worker": worker}
        self._logger = logger
        self._progress = Progress()
        self._leases: set[str] = set()

    def progress(self, done: float, total: float | None, note: str) -> None:
        """Show the job's progress, at most once a second."""
        state = self._progress.text(done, total, note)
        if state is None:
            return
        with self._pool.connection() as conn:
            SQL.run(conn, "job/progress", progress=state, **self._held)

    def add_cost(self, amount: Decimal | int, currency: str) -> None:
        """Add to the cost of the job.

        Raises:
            ClaimLost: this process no longer holds the job.
            ValueError: the amount or the currency is not valid, or an earlier cost had another currency.
        """
        costs.check(amount, currency)
        with self._pool.connection() as conn:
            row = SQL.one(conn, "job/add_cost", amount=amount, currency=currency, **self._held)
        if row is None:
            raise ClaimLost(f"job {self._claim.id} is no longer ours; {amount} {currency} were not added to its cost")
        if row["currency"] != currency:
            raise costs.mixed(row["currency"], currency)
        if row["missed"] is not None:
            self._logger.warning(
                "a budget in another currency does not count this cost",
                budget=row["missed"],
                cost=f"{amount} {currency}",
            )

    def used(self, units: dict[str, float]) -> None:
        """Add to the units that the job has used."""
        amounts.check(units)
        with self._pool.connection() as conn:
            SQL.run(conn, "job/report", id=self._claim.id, claim=self._claim.number, units=json.dumps(units))

    def throttled(self, limit: str, retry_after: timedelta | float, reason: str) -> None:
        """Close a limit for the whole fleet.

        Raises:
            ValueError: jobs.yaml has no such limit.
        """
        seconds = amounts.pause(retry_after)
        with self._pool.connection() as conn:
            params = {"limit": limit, "seconds": seconds, "job": self._claim.id, "why": kept(reason) or "429"}
            closed_until = SQL.value(conn, "limits/throttle", **params)
        if closed_until is None:
            raise ValueError(f"expected the name of a limit in jobs.yaml, got {limit!r}")
        self._logger.warning(
            "limit closed: its provider throttles", limit=limit, seconds=round(seconds, 1), reason=reason
        )

    @contextmanager
    def lease(self, name: str, limit: int, wait: timedelta | float | None) -> Iterator[None]:
        """Hold one of ``limit`` leases of that name inside the block."""
        if name in self._leases:
            raise RuntimeError(f"expected a lease that this job does not hold, got {name!r} for the second time")
        with self._pool.connection() as conn:
            leases.take(conn, name, limit, self._claim, self._held["worker"], wait=wait)
        self._leases.add(name)
        try:
            yield
        finally:
            self._leases.discard(name)
            try:
                with self._pool.connection() as conn:
                    leases.release(conn, name, self._claim)
            except DISCONNECTED as error:
                self._logger.warning("lease not given back; it ends with the job", lease=name, error=str(error).strip())
