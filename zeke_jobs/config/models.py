"""What jobs.yaml means once it is checked: every default filled in, nothing left to look up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from zeke_jobs.core.durations import UNITS, Duration, format_duration

Missed = Literal["latest", "skip", "all"]
Overlap = Literal["skip", "allow"]
While = Literal["queued", "active", "period"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Frozen):
    """At most ``count`` starts in any ``period``."""

    count: int
    period: timedelta

    def __str__(self) -> str:
        unit = next((unit for unit, worth in UNITS.items() if worth == self.period), None)
        return f"{self.count}/{unit or format_duration(self.period)}"


class Concurrency(_Frozen):
    """How many jobs of a task are active at once, over all machines; None is no bound."""

    limit: int | None = None
    per_key: int | None = None


class Limit(_Frozen):
    """A limit that tasks share by naming it in ``uses``."""

    name: str
    description: str = ""
    concurrency: int | None = None
    rate: Rate | None = None
    paused: bool = False


class Retry(_Frozen):
    """How a failed attempt is repeated.

    The n-th retry waits min(``max_delay``, ``delay`` times ``factor`` to the power n - 1), moved at random by
    up to the share ``jitter`` (0 to 1) of itself. ``limit`` retries follow the first attempt.
    """

    limit: int = 3
    delay: Duration = timedelta(seconds=1)
    factor: float = 2.0
    max_delay: Duration = timedelta(minutes=10)
    jitter: float = 0.1


class Keep(_Frozen):
    """How long a finished job stays in the table, by how it ended."""

    completed: Duration = timedelta(days=7)
    failed: Duration = timedelta(days=30)
    cancelled: Duration = timedelta(days=7)


class Unique(_Frozen):
    """A second job with the same ``fields`` of the payload is not made.

    Not while the first is ``queued``, or queued or ``active``, or not for ``period`` after it was sent.
    No fields means the whole payload.
    """

    fields: tuple[str, ...] = ()
    while_: While = "queued"
    period: Duration | None = None


class Schedule(_Frozen):
    """When jobs of a task are sent by themselves.

    Attributes:
        at: The cron line.
        timezone: Name of the zone that it is read in.
        missed: What is sent for ticks that fell due while no scheduler ran.
        window: How far back such ticks are looked for.
        overlap: Whether a tick is skipped while the job of the one before is queued or active.
        jitter: The job becomes due up to this much later than its tick, at random.
        payload: What the job carries, with keys as in the file.
        paused: No ticks are sent.
    """

    at: str
    timezone: str = "UTC"
    missed: Missed = "latest"
    window: Duration = timedelta(days=1)
    overlap: Overlap = "skip"
    jitter: Duration = timedelta(0)
    payload: dict[str, Any] = {}
    paused: bool = False


class Service(_Frozen):
    """Something that handlers talk to. ``settings`` is as in the file: ``${NAME}`` is still in it."""

    name: str
    use: str
    settings: dict[str, Any] = {}


class Task(_Frozen):
    """One task with all that governs its jobs. ``settings`` is as in the file: ``${NAME}`` is still in it."""

    id: str
    handler: str
    description: str = ""
    aliases: tuple[str, ...] = ()
    queue: str = "default"
    concurrency: Concurrency = Concurrency()
    rate: Rate | None = None
    uses: tuple[str, ...] = ()
    priority: int = 0
    timeout: Duration = timedelta(minutes=5)
    retry: Retry = Retry()
    keep: Keep = Keep()
    cron: Schedule | None = None
    settings: dict[str, Any] = {}
    max_queued: int | None = None
    unique: Unique | None = None
    sensitive: tuple[str, ...] = ()
    max_wait: Duration | None = None
    paused: bool = False


class Defaults(_Frozen):
    """What a task has that says nothing else."""

    queue: str = "default"
    priority: int = 0
    timeout: Duration = timedelta(minutes=5)
    retry: Retry = Retry()
    keep: Keep = Keep()
    max_queued: int | None = None
    max_wait: Duration | None = None


class Config(_Frozen):
    """A checked jobs.yaml. It holds no value of an environment variable, so it may be stored and shown.

    Attributes:
        migrations: Packages, after zeke_jobs itself, that bring migrations of their own.
        text: The file as it stands.
        digest: SHA-256 of that text, in hexadecimal.
    """

    version: Literal[1] = 1
    timezone: str = "UTC"
    services: dict[str, Service] = {}
    limits: dict[str, Limit] = {}
    migrations: tuple[str, ...] = ()
    defaults: Defaults = Defaults()
    tasks: dict[str, Task] = {}
    text: str = ""
    digest: str = ""

    def task(self, name: str) -> Task | None:
        """The task with this id or alias, or None."""
        if name in self.tasks:
            return self.tasks[name]
        return next((task for task in self.tasks.values() if name in task.aliases), None)

    @property
    def queues(self) -> tuple[str, ...]:
        """Names of the queues that some task is in, in order."""
        return tuple(sorted({task.queue for task in self.tasks.values()}))
