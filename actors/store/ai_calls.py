"""The ledger of AI calls: every call is kept, from its beginning to its cost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg2.extras import Json

from actors import waiting
from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from psycopg2.extensions import connection as Connection

    from actors.ai.protocol import CallEnd, CallStart
    from zeke_jobs import Context


@dataclass(frozen=True)
class PostgresLedger:
    """The ledger of one job; every entry commits at once, so that a crash loses no cost.

    Attributes:
        conn: An autocommit connection, not inside a transaction.
        job_id: The job that asks.
        task: Its task.
        story_id: The story that the job is about, if it is about one.
        is_fresh: Whether kept answers to the same question are ignored, as when a person asks again.
        spend: Called with the cost of each call in US dollars, if known.
    """

    conn: Connection
    job_id: UUID
    task: str
    story_id: UUID | None
    is_fresh: bool = False
    spend: Callable[[Decimal], None] = lambda _: None

    def remembered(self, key: str) -> Any | None:
        """The kept answer of an equal call, or None."""
        return None if self.is_fresh else SQL.value(self.conn, "ai_answer_get", key=key)

    def reserve(self, call: CallStart) -> UUID:
        """Open a call. A crash leaves it open, with the most that it may have cost.

        Raises:
            Defer: the model rests.
        """
        who = waiting.model(call.model)
        about = {"story_id": self.story_id, "job_id": self.job_id, "task": self.task}
        row = SQL.one(self.conn, "ai_call_open", **_fields(call), **about, who=who)
        assert row is not None
        if row["id"] is None:
            raise waiting.resting(who, row["until"], row["why"])
        return UUID(str(row["id"]))

    def settle(self, call_id: UUID, end: CallEnd, keep: tuple[str, Any] | None = None) -> None:
        """Record the cost and the outcome of a call, and keep its answer for equal calls. A second time changes nothing."""
        key, answer = keep or (None, None)
        settled = SQL.one(
            self.conn,
            "ai_call_settle",
            id=call_id,
            key=key,
            answer=None if keep is None else Json(answer),
            **{**_fields(end), "detail": None if end.detail is None else end.detail[:500]},
        )
        if settled is not None and settled["cost_usd"] is not None:
            self.spend(settled["cost_usd"])
        if end.rests is not None:
            model, seconds = end.rests
            waiting.note(self.conn, waiting.model(model), timedelta(seconds=seconds), end.detail or "")


def _fields(given: CallStart | CallEnd) -> dict[str, Any]:
    """The fields by name."""
    return {one.name: getattr(given, one.name) for one in fields(given)}


def ledger(
    ctx: Context[Any], story_id: UUID, *, is_fresh: bool = False, conn: Connection | None = None
) -> PostgresLedger:
    """The ledger of a job that is about ``story_id``; ``conn``: the connection that the jobs of a chunk share."""
    return PostgresLedger(conn or ctx.db, ctx.job_id, ctx.task_id, story_id, is_fresh=is_fresh, spend=ctx.add_cost)
