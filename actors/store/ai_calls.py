"""The ledger of AI calls: every call is kept, from its beginning to its cost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from psycopg2.extras import Json

from actors import waiting
from actors.ai.protocol import CallEnd
from actors.store.statements import SQL
from zeke_jobs import WaitFor, emit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from psycopg2.extensions import connection as Connection

    from actors.ai.protocol import CallStart
    from zeke_jobs import Context

LONGEST = timedelta(days=3)
"""A job that has waited longer for a batch asks its question itself."""


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
        patient: The context of a job that nobody waits for, so that its questions may wait for a batch.
    """

    conn: Connection
    job_id: UUID
    task: str
    story_id: UUID | None
    is_fresh: bool = False
    spend: Callable[[Decimal], None] = lambda _: None
    patient: Context[Any] | None = None

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

    def later(self, key: str, call: CallStart, question: Mapping[str, Any], *, is_new: bool) -> tuple[UUID, Any] | None:
        """The call and the reply of a batch to a question, or None: ask now. If ``is_new``, it goes into the next batch.

        Raises:
            WaitFor: there is no reply yet.
        """
        if self.patient is None:
            return None
        call_id = uuid5(self.job_id, key)  # the same in each attempt
        outcome = SQL.value(self.conn, "ai_question_outcome", id=call_id)
        if outcome is None and is_new:
            about = {"story_id": self.story_id, "job_id": self.job_id, "task": self.task, "question": Json(question)}
            with self.patient.transaction() as tx:
                SQL.run(tx, "ai_question_open", id=call_id, **_fields(call), **about)
                self.patient.send("batch-questions", {"call_id": str(call_id)}, key=call.model)
        elif outcome not in {"open", "ok"}:
            return None
        event = self.patient.event(_answer(call_id))
        if event is None:
            raise WaitFor(_answer(call_id), LONGEST)
        told = event.data or {"refused": "no batch brought an answer in time"}
        if "reply" in told:
            return call_id, told["reply"]
        self.settle(call_id, CallEnd("failed", told["refused"], is_charged=event.timed_out))
        return None

    def settle(self, call_id: UUID, end: CallEnd, keep: tuple[str, Any] | None = None) -> None:
        """Record the cost and the outcome of a call, and keep its answer for equal calls. A second time changes nothing."""
        cost = _settle(self.conn, call_id, end, keep)
        if cost is not None:
            self.spend(cost)
        if end.rests is not None:
            model, seconds = end.rests
            waiting.note(self.conn, waiting.model(model), timedelta(seconds=seconds), end.detail or "")


def answer(conn: Connection, call_id: UUID, told: Mapping[str, Any] | str, end: CallEnd | None = None) -> None:
    """Tell the waiting job the reply to its question, or as text why there is none. If no job waits, the call ends here."""
    row = SQL.one(conn, "ai_question_answered", id=call_id, cost=None if end is None else end.cost)
    if row is not None and not row["is_awaited"]:
        _settle(conn, call_id, end or CallEnd("failed", str(told), is_charged=False))
    try:
        emit(_answer(call_id), {"refused" if end is None else "reply": told}, connection=conn)
    except ValueError:  # more than 1 MiB, or characters that PostgreSQL's JSON does not take: no answer, and paid
        emit(_answer(call_id), {"reply": {}}, connection=conn)


def batch_end(batch: str, *, is_late: bool = False) -> str:
    """The event of a batch's end; ``is_late``: after it was cancelled, because it took too long."""
    return f"ai-batch/{batch}{'/late' if is_late else ''}"


def open_batches(conn: Connection) -> dict[str, str]:
    """The events for which jobs wait, each with its batch."""
    return {row["event"]: row["event"].split("/")[1] for row in SQL.all(conn, "ai_batches_awaited")}


def _answer(call_id: UUID) -> str:
    """The event of a question's answer."""
    return f"ai-answer/{call_id}"


def _settle(conn: Connection, call_id: UUID, end: CallEnd, keep: tuple[str, Any] | None = None) -> Decimal | None:
    """End a call, once; returns its cost if that is known."""
    key, kept = keep or (None, None)
    given = {**_fields(end), "detail": None if end.detail is None else end.detail[:500]}
    row = SQL.one(conn, "ai_call_settle", id=call_id, key=key, answer=None if keep is None else Json(kept), **given)
    return None if row is None else row["cost_usd"]


def _fields(given: CallStart | CallEnd) -> dict[str, Any]:
    """The fields by name."""
    return {one.name: getattr(given, one.name) for one in fields(given)}


def ledger(
    ctx: Context[Any],
    story_id: UUID,
    *,
    is_fresh: bool = False,
    is_awaited: bool = True,
    conn: Connection | None = None,
) -> PostgresLedger:
    """The ledger of a job that is about ``story_id``; ``conn``: the connection that the jobs of a chunk share."""
    patient = None if is_awaited else ctx
    return PostgresLedger(conn or ctx.db, ctx.job_id, ctx.task_id, story_id, is_fresh, ctx.add_cost, patient)
