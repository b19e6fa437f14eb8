"""One claimed job in this process: what was claimed, when it started here, and how it ended."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dramatiq.broker import MessageProxy
from dramatiq.message import Message

from zeke_jobs.core.bounds import DEEPEST
from zeke_jobs.errors import InvalidPayload
from zeke_jobs.payload.json_text import is_too_deep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from zeke_jobs.worker.claim.slots import Slot
    from zeke_jobs.worker.finish.outcome import Outcome


@dataclass(slots=True, eq=False)
class Claim:
    """A row of ``zeke_jobs.claim``, and this process's clock about it (monotonic seconds).

    Attributes:
        is_ahead: It was claimed ahead of its limit.
        slot: What it holds of the limit.
        order: In which order the jobs that may start do; 0 for one that may not yet.
        ended: It is decided how it ends. ``Load`` owns this and ``started`` to ``long``, and draws how they change.
        is_counted: It has a thread, or waits for one.
        sensitive: The fields that its task called sensitive when it was sent.
        fault: Why its row cannot be read: its handler never starts.
    """

    id: UUID
    number: int
    task: str
    attempt: int
    attempt_base: int
    deaths: int
    revision: int
    parent: UUID | None
    scheduled_for: datetime | None
    claimed_on: datetime
    asked: float = field(default_factory=time.monotonic)
    received: float = field(default_factory=time.monotonic)
    started: float | None = None
    done: float | None = None
    slot: Slot | None = None
    is_ahead: bool = False
    sensitive: tuple[str, ...] = ()
    order: int = 0
    marked: bool = False
    ended: bool = False
    given_up: bool = False
    is_counted: bool = False
    long: bool = False
    fault: InvalidPayload | None = None

    @property
    def after(self) -> float | None:
        """Seconds from the claim to the start of the handler; None when it has not started."""
        return None if self.started is None else self.started - self.received

    @property
    def took(self) -> float | None:
        """Seconds from the claim to the end of the handler; None when it has not started."""
        return None if self.started is None or self.done is None else self.done - self.received


def _read(
    message: str, scheduled_for: str | None
) -> tuple[list[Any], dict[str, Any], int, str | None, datetime | None]:
    """What another program may have written of a row: args, kwargs, timestamp, trace context, and the tick that it is for.

    Raises:
        ValueError, TypeError, AttributeError, ArithmeticError, RecursionError: it cannot be read.
    """
    if is_too_deep(message, DEEPEST + 1):  # the payload is inside the message
        raise ValueError(f"more than {DEEPEST} lists and objects inside each other")
    fields = json.loads(message)
    args, kwargs, options = fields.get("args") or [], fields.get("kwargs") or {}, fields.get("options") or {}
    if not (isinstance(args, list) and isinstance(kwargs, dict) and isinstance(options, dict)):
        kinds = ", ".join(type(value).__name__ for value in (args, kwargs, options))
        raise TypeError(f"args, kwargs and options are a list and two dicts, not {kinds}")
    tick = None if scheduled_for is None else datetime.fromisoformat(scheduled_for)
    return args, kwargs, int(fields.get("message_timestamp") or 0), options.get("traceparent"), tick


class JobMessage(MessageProxy):  # type: ignore[misc] # dramatiq has no types
    """The dramatiq message of a claimed job. ``outcome`` is set by the executor, and written when dramatiq acknowledges.

    ``traceparent`` is the trace context of whoever sent the job. Of a row that cannot be read, ``claim.fault`` says why. Its
    message is empty, so that the job goes the way of all others, to its end.

    Args:
        row: A row of ``job_complete_and_claim``.
        queue: The queue that it was claimed from.
        asked: When the database was asked for it (monotonic seconds); it was claimed later.
        received: When the answer came (monotonic seconds).
    """

    def __init__(self, row: Sequence[Any], queue: str, asked: float, received: float) -> None:
        message_id, number, task, message, attempt, attempt_base, deaths, revision, parent, *rest = row
        sensitive, scheduled_for, claimed_on, is_ahead = rest
        fault = None
        try:
            args, kwargs, timestamp, traceparent, tick = _read(message, scheduled_for)
        except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            # The database refuses such rows; this one came past its checks. It must not take what was claimed with it along.
            fault = InvalidPayload(f"expected a row that a worker can read, got {type(error).__name__}: {error}")
            args, kwargs, timestamp, traceparent, tick = [], {}, 0, None, None
        super().__init__(
            Message(
                # dramatiq looks its consumer up by this name; a stock producer's may still end in .DQ.
                queue_name=queue,
                actor_name=task,
                args=tuple(args),
                kwargs=kwargs,
                options={},
                message_id=str(message_id),
                message_timestamp=timestamp,
            )
        )
        self.outcome: Outcome | None = None
        self.traceparent = traceparent
        self.claim = Claim(
            id=message_id,
            number=number,
            task=task,
            attempt=attempt,
            attempt_base=attempt_base,
            deaths=deaths,
            revision=revision or 0,
            parent=parent,
            scheduled_for=tick,
            claimed_on=claimed_on,
            asked=asked,
            received=received,
            is_ahead=is_ahead,
            sensitive=tuple(sensitive or ()),
            fault=fault,
        )

    # Dramatiq keeps messages in a heap. Comparing what is in them would take longer than many a job.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __lt__(self, other: JobMessage) -> bool:
        return self.claim.order < other.claim.order


class HeldClaims:
    """The claims that this process holds, started or not. Thread-safe."""

    def __init__(self) -> None:
        self._claims: dict[UUID, Claim] = {}
        self._lock = threading.Lock()
        self.changed = threading.Condition(self._lock)

    def add(self, claim: Claim) -> Claim:
        """Note a claim; answers the one that this process now holds of that job, which may be an earlier one."""
        with self._lock:
            held = self._claims.get(claim.id)
            if held is None or (held.ended and held.number != claim.number):
                # Its last run is over and written; only the word of it had not come back yet.
                self._claims[claim.id] = held = claim
            return held

    def discard(self, claim: Claim) -> None:
        """Forget a claim, and wake whoever waits for room."""
        with self._lock:
            if self._claims.get(claim.id) is claim:
                del self._claims[claim.id]
            self.changed.notify_all()

    def find(self, job: UUID) -> Claim | None:
        """The claim that this process holds of a job."""
        with self._lock:
            return self._claims.get(job)

    def __len__(self) -> int:
        return len(self._claims)

    def all(self) -> list[Claim]:
        """The claims at this moment."""
        with self._lock:
            return list(self._claims.values())

    def wait_for_change(self, timeout: float) -> None:
        """Return when a claim was given up, or after ``timeout`` seconds."""
        with self.changed:
            self.changed.wait(timeout)
