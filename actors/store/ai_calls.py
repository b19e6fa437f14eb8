"""The ledger of AI calls: every call is kept, from its beginning to its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg2.extras import Json

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from decimal import Decimal

    from psycopg2.extensions import connection as Connection

    from actors.ai.protocol import CallEnd, CallStart
    from zeke_jobs import Context


class PostgresLedger:
    """The ledger of one job; every entry commits at once, so that a crash loses no cost.

    Args:
        conn: An autocommit connection, not inside a transaction.
        job_id: The job that asks.
        task: Its task.
        story_id: The story that the job is about.
        is_fresh: Whether kept answers to the same question are ignored, as when a person asks again.
        spend: Called with the cost of each call in US dollars, if known.
    """

    def __init__(
        self,
        conn: Connection,
        *,
        job_id: UUID,
        task: str,
        story_id: UUID,
        is_fresh: bool = False,
        spend: Callable[[Decimal], None] = lambda _: None,
    ) -> None:
        self._conn = conn
        self._job_id = job_id
        self._task = task
        self._story_id = story_id
        self._is_fresh = is_fresh
        self._spend = spend

    def remembered(self, key: str) -> Any | None:
        """The kept answer of an equal call, or None."""
        if self._is_fresh:
            return None
        return SQL.value(self._conn, "ai_answer_get", key=key)

    def reserve(self, call: CallStart) -> UUID:
        """Open a call. A crash leaves it open, with the most that it may have cost."""
        opened = SQL.value(
            self._conn,
            "ai_call_open",
            operation=call.operation,
            story_id=str(self._story_id),
            job_id=str(self._job_id),
            task=self._task,
            model=call.model,
            prompt=call.prompt,
            cost=call.cost,
        )
        return UUID(str(opened))

    def settle(self, call_id: UUID, end: CallEnd, keep: tuple[str, Any] | None = None) -> None:
        """Record the cost and the outcome of a call, and keep its answer for equal calls. A second time changes nothing."""
        key, answer = keep or (None, None)
        settled = SQL.one(
            self._conn,
            "ai_call_settle",
            id=str(call_id),
            outcome=end.outcome,
            detail=None if end.detail is None else end.detail[:500],
            model_answered=end.model,
            input_tokens=end.input_tokens,
            output_tokens=end.output_tokens,
            cost=end.cost,
            is_charged=end.is_charged,
            latency_ms=end.latency_ms,
            key=key,
            answer=None if keep is None else Json(answer),
        )
        if settled is not None and settled["cost_usd"] is not None:
            self._spend(settled["cost_usd"])


def ledger(ctx: Context[Any], story_id: UUID, *, is_fresh: bool = False) -> PostgresLedger:
    """The ledger of a job that is about ``story_id``."""
    return PostgresLedger(
        ctx.db, job_id=ctx.job_id, task=ctx.task_id, story_id=story_id, is_fresh=is_fresh, spend=ctx.add_cost
    )


def costs(
    conn: Connection, *, by: str, since: date, story_id: UUID | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Calls and costs since a day, dearest first. ``by``: day, task, model, outcome or story."""
    return SQL.all(
        conn, "ai_costs", by=by, since=since, story_id=None if story_id is None else str(story_id), limit=limit
    )
