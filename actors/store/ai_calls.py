"""Keeps the ledger of AI calls: every call is recorded when the call begins, and its cost when the call ends."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors import waiting
from actors.ai.protocol import HALF, Begun, CallEnd, CallStart
from actors.store import SQL
from zeke_jobs import ChunkContext, Context, WaitFor, emit
from zeke_jobs.errors import ClaimLost
from zeke_jobs.postgres.pool import transaction

LONGEST = timedelta(days=3)
"""A job that has waited longer than this for a batch asks the model directly."""


class Asker(NamedTuple):
    """Holds the ids of a job that asks a model, and of its story, which is None if the job is not about a story."""

    job_id: UUID
    story_id: UUID | None


@dataclass(frozen=True)
class Ledger:
    """Records the paid model calls of one job, or of the jobs of a chunk, and stores the answers.

    Each entry is committed at once, so that no crash loses a cost. Until a call ends, its highest possible cost counts.

    Attributes:
        conn: An autocommit connection, not inside a transaction.
        is_fresh: Whether stored answers to the same question are ignored.
        spend: A function that receives the costs of ended calls in US dollars, by the job's index in ``askers``.
        patient: The context of the job if nobody waits for it, so that its questions may wait for a batch.
    """

    conn: Connection
    task: str
    askers: Sequence[Asker]
    is_fresh: bool = False
    spend: Callable[[Mapping[int, Decimal]], None] = lambda _: None
    patient: Context[Any] | None = None

    def begin(
        self, call: CallStart, key: str, question: Any = None, *, recalls: bool = True, may_wait: bool = False
    ) -> Begun:
        """Open a call. With ``recalls``, first look for an answer that is stored under ``key``.

        With ``may_wait``, if nobody waits for the job, ``question`` goes into the next batch unless a batch has it.

        Raises:
            Defer: calls to the model are paused.
            WaitFor: the batch with the question has not ended yet.
        """
        patient = self.patient if may_wait else None
        put = uuid5(self.askers[0].job_id, key) if patient else None
        with patient.transaction() if patient and question else nullcontext(self.conn) as conn:
            asked = Json(question) if patient and question else None
            (row,) = self._begin(conn, {0: (call, key)}, recalls=recalls, put=put, question=asked)
            if patient and row["is_new"]:
                patient.send("batch-questions", {"call_id": str(put)}, key=call.model)
        if patient is None or row["id"] != put:
            return Begun(row["id"], row["answer"])
        event = patient.event(_answer(row["id"]))
        if event is None:
            raise WaitFor(_answer(row["id"]), LONGEST)
        data = event.data or {"refused": "no batch brought an answer in time"}
        if "reply" in data:
            return Begun(row["id"], reply=data["reply"])
        self.settle(row["id"], CallEnd("failed", data["refused"], is_charged=event.timed_out))
        return self.begin(call, key, recalls=False)

    def begin_all(self, calls: Mapping[int, tuple[CallStart, str]], *, recalls: bool) -> dict[int, Begun]:
        """Open several calls to one model. ``calls`` maps a job's index in ``self.askers`` to the call and its key."""
        with transaction(self.conn):
            rows = self._begin(self.conn, calls, recalls=recalls)
        return {at: Begun(row["id"], row["answer"]) for at, row in zip(calls, rows, strict=True)}

    def _begin(
        self, conn: Connection, calls: Mapping[int, tuple[CallStart, str]], *, recalls: bool, **batched: Any
    ) -> list[dict[str, Any]]:
        """Record that calls begin, by one SQL statement. They may differ only in costs and keys. Raises Defer."""
        (call, _), *_ = calls.values()
        askers, who = [self.askers[at] for at in calls], waiting.model(call.model)
        told: dict[str, Any] = {"put": None, "question": None, **batched, **asdict(call), "who": who, "task": self.task}
        told |= {"jobs": [one.job_id for one in askers], "stories": [one.story_id for one in askers]}
        told |= {"costs": [one.cost for one, _ in calls.values()], "cost_in_batch": call.cost and HALF * call.cost}
        told["keys"] = [key if recalls and not self.is_fresh else None for _, key in calls.values()]
        rows = SQL.all(conn, "ai_call_begin", **told)
        for row in rows:
            if row["until"] is not None:
                raise waiting.resting(who, row["until"], row["why"])
        return rows

    def settle(self, call_id: UUID, end: CallEnd, keep: tuple[str, Any] | None = None) -> None:
        """Close a call with its actual cost. ``keep`` is a key and the answer to store under this key."""
        self.settle_all({0: (call_id, end, keep)})

    def settle_all(self, ends: Mapping[int, tuple[UUID, CallEnd, tuple[str, Any] | None]]) -> None:
        """Close the calls of several jobs by one SQL statement."""
        costs = _settle(self.conn, *ends.values()) if ends else {}
        for (model, seconds), why in {end.rests: end.detail for _, end, _ in ends.values() if end.rests}.items():
            waiting.note(self.conn, waiting.model(model), timedelta(seconds=seconds), why or "")
        spent = {at: cost for at, (call_id, _, _) in ends.items() if (cost := costs[call_id]) is not None}
        if spent:
            self.spend(spent)


def answer(conn: Connection, call_id: UUID, told: Mapping[str, Any] | str, end: CallEnd | None = None) -> None:
    """Give a waiting job the reply to its call, or the reason why there is none. If no job waits, end the call."""
    row = SQL.one(conn, "ai_question_answered", id=call_id, cost=None if end is None else end.cost)
    if row is not None and not row["is_awaited"]:
        _settle(conn, (call_id, end or CallEnd("failed", str(told), is_charged=False), None))
    try:
        emit(_answer(call_id), {"refused" if end is None else "reply": told}, connection=conn)
    except ValueError:  # the reply is too large, or not for PostgreSQL's JSON: it is lost, but paid
        emit(_answer(call_id), {"reply": {}}, connection=conn)


def batch_end(batch: str, *, is_late: bool = False) -> str:
    """Return the name of the event that reports the end of a batch, or of a cancelled batch (``is_late``)."""
    return f"ai-batch/{batch}{'/late' if is_late else ''}"


def open_batches(conn: Connection) -> dict[str, str]:
    """Return the ids of the open batches, each under the name of the event that the batch's job waits for."""
    return {row["event"]: row["event"].split("/")[1] for row in SQL.all(conn, "ai_batches_awaited")}


def _answer(call_id: UUID) -> str:
    return f"ai-answer/{call_id}"


def _settle(conn: Connection, *ends: tuple[UUID, CallEnd, tuple[str, Any] | None]) -> dict[UUID, Decimal | None]:
    """End calls in the order of their answers' keys, to avoid deadlocks. Returns the costs by call id."""
    told = []
    for call_id, end, keep in sorted(ends, key=lambda one: one[2][0] if one[2] else ""):
        key, answer = keep or (None, None)
        detail = end.detail and end.detail[:500]
        told.append({**asdict(end), "id": str(call_id), "detail": detail, "key": key, "answer": answer})
    return {row["id"]: row["cost_usd"] for row in SQL.all(conn, "ai_call_settle", ends=Json(told))}


def ledger(ctx: Context[Any], story_id: UUID, *, is_fresh: bool = False, is_awaited: bool = True) -> Ledger:
    """Return the ledger of a job about the story ``story_id``."""
    patient, asker = None if is_awaited else ctx, Asker(ctx.job_id, story_id)
    return Ledger(ctx.db, ctx.task_id, [asker], is_fresh, lambda costs: ctx.add_cost(costs[0]), patient)


def ledger_of_chunk(ctx: ChunkContext, stories: Mapping[int, UUID]) -> Ledger:
    """Return a ledger for the jobs of a chunk whose indexes are in ``stories``. The ledger's indexes begin at 0."""
    places = list(stories)

    def spend(costs: Mapping[int, Decimal]) -> None:
        with suppress(ClaimLost):  # the job was cancelled
            ctx.add_costs({places[at]: cost for at, cost in costs.items()})

    askers = [Asker(ctx.jobs[place].job_id, story_id) for place, story_id in stories.items()]
    return Ledger(ctx.jobs[0].db, ctx.task_id, askers, spend=spend)
