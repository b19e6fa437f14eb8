"""A batch that a program or a handler has opened, and what became of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from pydantic import BaseModel

    from zeke_jobs.core.job import Sent

AfterFailure = Literal["send", "hold"]
Then = tuple[str, "Mapping[str, Any] | BaseModel | None"]
"""The job that is sent at the end: its task and its payload, where ``{"$batch": "failed"}`` and its like are filled in."""

COUNTS = ("jobs", "completed", "failed", "cancelled")


class _Sender(Protocol):
    def send(self, task: str, payload: Any = None, **options: Any) -> Sent: ...
    def send_many(self, task: str, payloads: Iterable[Any], **options: Any) -> list[Sent]: ...


class Batch:
    """An open batch: jobs can be added until it is closed, which the end of a ``with`` block does.

    A block that ends with an exception leaves it open, so that another try can open it again and go on.
    """

    def __init__(self, batch_id: str, sender: _Sender, close: Callable[[], object]) -> None:
        self.id = batch_id
        self._sender = sender
        self._close = close

    def send(self, task: str, payload: Mapping[str, Any] | BaseModel | None = None, **options: Any) -> Sent:
        """Send a job that belongs to it; otherwise as ``send``."""
        return self._sender.send(task, payload, batch=self.id, **options)

    def send_many(self, task: str, payloads: Iterable[Mapping[str, Any] | BaseModel], **options: Any) -> list[Sent]:
        """Send jobs that belong to it; otherwise as ``send_many``."""
        return self._sender.send_many(task, payloads, batch=self.id, **options)

    def close(self) -> None:
        """Take no more jobs of others: it ends when its last job has ended, at once where that is so already."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A batch as the database had it at one moment.

    Attributes:
        status: ``open``, ``running``, ``held`` (only failed jobs hold its end up), ``ended`` or ``cancelled``.
        jobs: How many belong to it so far.
        unfinished: How many are queued or active.
        after_failure: ``send``: a failed job has ended; ``hold``: the batch waits until it is retried or cancelled.
        then_task: Task of the job that is sent at the end.
        then_job: That job, once it was sent.
        then_outcome: ``created``, or why there is none.
    """

    id: str
    status: str
    jobs: int
    unfinished: int
    completed: int
    failed: int
    cancelled: int
    after_failure: str
    then_task: str | None
    then_job: UUID | None
    then_outcome: str | None
    created_on: datetime
    ended_on: datetime | None
    cancelled_on: datetime | None

    @property
    def finished(self) -> int:
        """How many of its jobs have ended, in whatever way."""
        return self.jobs - self.unfinished
