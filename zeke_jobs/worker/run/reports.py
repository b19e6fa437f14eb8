"""Reports of a running handler, written outside its transaction: visible at once, and kept if the transaction is rolled back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from zeke_jobs.core import bounds, costs
from zeke_jobs.core import units as amounts
from zeke_jobs.core.context import Context
from zeke_jobs.core.redaction import redact
from zeke_jobs.errors import ClaimLost
from zeke_jobs.payload import json_text
from zeke_jobs.postgres.pool import DISCONNECTED, Pool
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.outcome import kept
from zeke_jobs.worker.run import leases

_PROGRESS_EVERY = 1.0  # seconds


class Reports(Context[Any]):
    """The part of a job's context that reports.

    ``pool`` is not the handlers' pool. There, every connection may be in use by a thread that waits here for a second one, and
    all would wait for ever.
    """

    def __init__(self, pool: Pool, claim: Claim, worker: UUID) -> None:
        self._statement_pool = pool
        self._claim = claim
        self._held: dict[str, Any] = {"id": claim.id, "claim": claim.number, "worker": worker}
        self._leases: set[str] = set()
        self._next_progress = 0.0

    def _check_may_block(self, form: str) -> None:
        """Refuse a blocking call on the event loop. Here it is allowed, because the handler runs in a thread."""

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """See ``Context.progress``.

        Raises:
            TypeError: ``done`` or ``total`` is no number.
            UnfitForJson: a number is infinite, NaN or longer than 64 bits, or Postgres cannot store the note.
        """
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
        """See ``Context.add_cost``.

        Raises:
            ClaimLost: this process no longer holds the job.
            ValueError: the amount or the currency is not valid, or an earlier cost had another currency.
        """
        self._check_may_block("add_cost")
        costs.check(amount, currency)
        with self._statement_pool.connection() as conn:
            row = SQL.one(conn, "job/add_cost", amount=amount, currency=currency, **self._held)
        if row is None:
            raise ClaimLost(f"job {self.job_id} is no longer ours; {amount} {currency} were not added to its cost")
        if row["currency"] != currency:
            raise costs.mixed(row["currency"], currency)
        if row["missed"] is not None:
            self.logger.warning(
                "a budget in another currency does not count this cost",
                budget=row["missed"],
                cost=f"{amount} {currency}",
            )

    def used(self, /, **units: float) -> None:
        """See ``Context.used``."""
        self._check_may_block("used")
        amounts.check(units)
        with self._statement_pool.connection() as conn:
            SQL.run(conn, "job/report", id=self.job_id, claim=self._claim.number, units=json.dumps(units))

    def throttled(self, limit: str, retry_after: timedelta | float, reason: str = "") -> None:
        """See ``Context.throttled``.

        Raises:
            ValueError: jobs.yaml has no such limit.
        """
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
        """See ``Context.lease``."""
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
