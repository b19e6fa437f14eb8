"""The ledger of AI calls: every call is kept, from its beginning to its cost."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors import waiting
from actors.ai.protocol import HALF, Begun, CallEnd, CallStart
from actors.store.statements import SQL
from zeke_jobs import Context, WaitFor, emit

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

    def begin(
        self,
        call: CallStart,
        key: str,
        question: Mapping[str, Any] | None = None,
        *,
        recalls: bool = True,
        may_wait: bool = False,
    ) -> Begun:
        """See ``Ledger``: one statement. A crash leaves the call open, with the most that it may have cost."""
        patient = self.patient if may_wait else None
        put = uuid5(self.job_id, key)  # the same in each attempt
        asked = question if patient else None
        with patient.transaction() if patient and asked else nullcontext(self.conn) as conn:
            row = SQL.one(
                conn,
                "ai_call_begin",
                **_fields(call),
                key=key if recalls and not self.is_fresh else None,
                put=put if patient else None,
                question=Json(asked) if asked else None,
                who=waiting.model(call.model),
                story_id=self.story_id,
                job_id=self.job_id,
                task=self.task,
                cost_in_batch=None if call.cost is None else HALF * call.cost,
            )
            assert row is not None
            if patient and row["is_new"]:
                patient.send("batch-questions", {"call_id": str(put)}, key=call.model)
        if row["until"] is not None:
            raise waiting.resting(waiting.model(call.model), row["until"], row["why"])
        if patient is None or row["id"] != put:
            return Begun(row["id"], row["answer"])
        event = patient.event(_answer(put))
        if event is None:
            raise WaitFor(_answer(put), LONGEST)
        told = event.data or {"refused": "no batch brought an answer in time"}
        if "reply" in told:
            return Begun(put, reply=told["reply"])
        self.settle(put, CallEnd("failed", told["refused"], is_charged=event.timed_out))
        return self.begin(call, key, recalls=False)

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
