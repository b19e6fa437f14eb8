"""Describes a job that this process has claimed, and the stage of the claim."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple, Self
from uuid import UUID

from dramatiq.broker import MessageProxy
from dramatiq.message import Message

from zeke_jobs.core.bounds import DEEPEST
from zeke_jobs.core.logs import Captured
from zeke_jobs.core.redaction import hiding, masked
from zeke_jobs.errors import InvalidPayload
from zeke_jobs.payload.json_text import is_too_deep
from zeke_jobs.worker.finish.outcome import Outcome
from zeke_jobs.worker.run.interrupts import Running

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Return the seconds of a monotonic clock that, if possible, goes on while the machine is suspended."""
    return time.clock_gettime(_CLOCK)


class Row(NamedTuple):
    """Holds a row that the SQL function ``zeke_jobs.complete_and_claim`` returns. Unused columns are None."""

    kind: str
    message_id: UUID
    claim: int
    task: str
    message: str | None
    attempt: int
    attempt_base: int
    deaths: int
    revision: int | None
    parent: UUID | None
    scheduled_for: str | None
    claimed_on: datetime
    sensitive: list[str] | None
    on_time: float | None
    held_by: str | None
    reason: str | None
    wait: float | None


class Stage(Enum):
    """Names the stage of a claim. A process holds a claim until the database has the job's outcome."""

    CLAIMED = "claimed"
    WAITS = "waits for a thread"
    RUNS = "runs"
    GIVEN_UP = "given up"  # the job has ended, but its handler still runs and keeps its thread
    ENDED = "ended"


_ARROWS = {
    Stage.CLAIMED: {Stage.WAITS, Stage.ENDED},
    Stage.WAITS: {Stage.RUNS, Stage.ENDED},
    Stage.RUNS: {Stage.GIVEN_UP, Stage.ENDED},
    Stage.GIVEN_UP: {Stage.ENDED},
    Stage.ENDED: set[Stage](),
}


@dataclass(slots=True, eq=False)
class Claim:
    """Describes a claimed job, with times by this process's monotonic clock. Only ``HeldJobs`` changes a claim."""

    id: UUID
    number: int
    task: str
    attempt: int
    attempt_base: int
    deaths: int
    revision: int
    scheduled_for: datetime | None
    claimed_on: datetime
    asked: float = field(default_factory=clock)  # when the process asked for jobs, which is before the claim
    received: float = field(default_factory=time.monotonic)  # when the process received the claim's result
    started: float | None = None
    done: float | None = None  # when the outcome was decided
    on_time: float | None = None  # seconds after the claim; a later start is reported to the rates; None without a rate
    sensitive: tuple[str, ...] = ()  # the fields that the task marked as sensitive at the time of the send
    order: int = 0  # the position among the claims of this process
    stage: Stage = Stage.CLAIMED
    marked: bool = False  # the database knows that the job has started
    long: bool = True  # the job may run long, so it does not wait in this process for a thread
    retry: Mapping[str, float] = field(default_factory=dict)  # values of the retry policy that the send set
    timeout: float | None = None  # seconds that an attempt may take, as set by the send; None: the task's timeout
    batch: str | None = None
    is_async: bool = False  # the handler runs on the event loop, not in a thread
    fault: InvalidPayload | None = None  # the reason why the row cannot be read; the handler then never starts
    log: Captured | None = None  # the last lines that the handler has logged
    chunk: Sequence[Self] = ()  # the claims of its chunk, which share one thread; empty without a chunk
    cancelled: bool = False
    running: Running | None = None  # the run of the handler, even after its end

    def move(self, to: Stage) -> None:
        """Change the stage. Raises RuntimeError if the current stage does not allow this change."""
        if to not in _ARROWS[self.stage]:
            raise RuntimeError(f"expected a claim that goes on from {self.stage.value!r}, got {to.value!r}")
        self.stage = to

    @property
    def together(self) -> Sequence[Self]:
        """Return the claims that share one call of the handler: all claims of the chunk, or only this claim."""
        return self.chunk or (self,)

    @property
    def retries(self) -> int:
        """Return the number of retries that count against the job's limit of retries."""
        return self.attempt - self.attempt_base

    @property
    def ended(self) -> bool:
        """Return whether the job's outcome is decided."""
        return self.stage in (Stage.ENDED, Stage.GIVEN_UP)

    @property
    def after(self) -> float | None:
        """Return the seconds from the claim to the handler's start, or None before the start."""
        return None if self.started is None else self.started - self.received

    @property
    def took(self) -> float | None:
        """Return the seconds from the claim to the handler's end, or None if it never started or has not ended."""
        return None if self.started is None or self.done is None else self.done - self.received


_BROKEN = (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)  # raised for an unreadable row
_COPIED = ("task", "attempt", "attempt_base", "deaths", "claimed_on", "on_time")  # fields of a row that a claim copies


def _read(message: str, scheduled_for: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a message's fields for Dramatiq and for ``Claim``. Raises an exception of ``_BROKEN`` for bad ones."""
    if is_too_deep(message, DEEPEST + 1):  # the payload is inside the message
        raise ValueError(f"more than {DEEPEST} lists and objects inside each other")
    fields = json.loads(message)
    args, kwargs, options = fields.get("args") or [], fields.get("kwargs") or {}, fields.get("options") or {}
    if not (isinstance(args, list) and isinstance(kwargs, dict) and isinstance(options, dict)):
        kinds = ", ".join(type(value).__name__ for value in (args, kwargs, options))
        raise TypeError(f"args, kwargs and options are a list and two dicts, not {kinds}")
    timeout = options.pop("timeout", None)
    claim = {
        "scheduled_for": None if scheduled_for is None else datetime.fromisoformat(scheduled_for),
        "retry": {part: float(value) for part, value in (options.pop("retry", None) or {}).items()},
        "timeout": None if timeout is None else float(timeout),
        "batch": options.pop("batch", None),
    }
    # Drop what Dramatiq would obey (eta delays a message, throws lists exceptions), and producer, which only SQL uses.
    for name in ("eta", "throws", "producer"):
        options.pop(name, None)
    timestamp = int(fields.get("message_timestamp") or 0)
    return {"args": tuple(args), "kwargs": kwargs, "options": options, "message_timestamp": timestamp}, claim


class JobMessage(MessageProxy):  # type: ignore[misc] # dramatiq has no types
    """Is the dramatiq message of a claimed job. The executor sets ``outcome``, which Dramatiq's acknowledgement stores.

    ``traceparent`` is the sender's trace context, and ``sensitive`` has the names of fields that are never shown. If
    the job's row cannot be read, the message is empty, and the job fails with ``claim.fault``. A chunk is processed as
    the message of its first job, and ``others`` has the messages of its other jobs.
    """

    def __init__(self, row: Row, queue: str, asked: float, *, is_async: bool = False) -> None:
        fault = None
        try:
            read, fields = _read(row.message or "", row.scheduled_for)
        except _BROKEN as error:  # the database should have refused this row; the other jobs of the claim go on
            fault = InvalidPayload(f"expected a row that a worker can read, got {type(error).__name__}: {error}")
            read, fields = _read("{}", None)
        if row.attempt > row.attempt_base:
            read["options"]["retries"] = row.attempt - row.attempt_base  # the option in which dramatiq counts retries
        super().__init__(
            # Dramatiq finds the consumer by the queue's name. The stored message may name a delay queue (.DQ) instead.
            Message(queue_name=queue, actor_name=row.task, message_id=str(row.message_id), **read)
        )
        self.outcome: Outcome | None = None
        self.in_chunk = row.reason == "chunk"
        self.others: list[Self] = []
        self.traceparent: Any = self._message.options.get("traceparent")
        self.sensitive: frozenset[str] = frozenset(row.sensitive or ())
        fields |= {name: getattr(row, name) for name in _COPIED}
        fields |= {"revision": row.revision or 0, "sensitive": tuple(row.sensitive or ()), "fault": fault}
        self.claim = Claim(row.message_id, row.claim, asked=asked, is_async=is_async, **fields)

    @property
    def members(self) -> list[Self]:
        """Return the messages of all jobs of this message's chunk."""
        return [self, *self.others]

    def hiding(self) -> AbstractContextManager[None]:
        """During a block, mask the jobs' sensitive fields in all logs and errors of this thread or asyncio task."""
        if not self.others:
            return hiding(self.kwargs, self.sensitive)
        names = {name for one in self.members for name in one.kwargs}
        return hiding({name: [one.kwargs.get(name) for one in self.members] for name in names}, self.sensitive)

    def __str__(self) -> str:
        """Return the job's task and id, without the payload, because dramatiq and middleware log this text."""
        return f"{self.claim.task}({self.claim.id})"

    def asdict(self) -> dict[str, Any]:
        """Return the message with masked sensitive fields, because error trackers show the message."""
        return {**self._message.asdict(), "kwargs": masked(self._message.kwargs, self.sensitive)}

    # Dramatiq keeps messages in a heap. Comparing messages by their contents would take longer than a short job.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __lt__(self, other: Self) -> bool:
        return self.claim.order < other.claim.order


def by_threads(messages: Iterable[JobMessage]) -> list[JobMessage]:
    """Return one message for each thread that the jobs need. All jobs of a chunk share one message."""
    found: dict[object, JobMessage] = {}
    for one in messages:
        claim = one.claim
        first = found.setdefault((claim.task, claim.claimed_on) if one.in_chunk else claim.id, one)
        if first is not one:
            first.others.append(one)
            claim.on_time = None  # if a chunk starts late, only its first job reports the delay to the rates
    return list(found.values())
