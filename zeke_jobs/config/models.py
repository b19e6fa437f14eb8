"""The keys of jobs.yaml: each is declared here once, with its type, its default, its meaning and an example.

The JSON Schema, the reference page, the checks, a task's row and the commands ``plan``, ``set``, ``tasks`` and ``why`` follow.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field

from zeke_jobs.config.entries import (
    NAME_KEYS,
    TASK_KEYS,
    AliasText,
    Amount,
    BudgetText,
    Count,
    FieldPath,
    LogLines,
    Many,
    Name,
    PackageText,
    PathText,
    PositiveDuration,
    Priority,
    Slots,
    ZoneName,
)
from zeke_jobs.config.keys import SHOWN, Keys, key
from zeke_jobs.config.limits import Limit, LimitKeys, TaskRate
from zeke_jobs.config.schedules import NamedSchedule, Schedule
from zeke_jobs.core.durations import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping

While = Literal["queued", "active", "period"]
OnDuplicate = Literal["ignore", "replace", "postpone"]
AfterFailure = Literal["hold", "skip"]


class Concurrency(Keys):
    """How many jobs are active at once, over all machines."""

    called = "concurrency"
    short_form = ("limit", int, "a whole number")

    limit: Slots | None = key(None, "Most active jobs of the task.", "limit: 20")
    per_key: Slots | None = key(None, "Most active jobs that share a `key`.", "per_key: 1")


class Retry(Keys):
    """How failed attempts are repeated; keys that are left out come from `defaults`."""

    # The n-th retry waits min(max_delay, delay * factor ** (n - 1)), moved at random by up to the share jitter of itself.

    called = "retry"

    limit: Annotated[int, Field(ge=0, le=1000)] = key(3, "Most retries after the first attempt.", "limit: 3")
    delay: Duration = key(timedelta(seconds=1), "Wait before the first retry.", "delay: 1s")
    factor: Annotated[float, Field(ge=1, le=100)] = key(2.0, "What each further wait is multiplied by.", "factor: 2")
    max_delay: Duration = key(timedelta(minutes=10), "Longest wait.", "max_delay: 10m")
    jitter: Annotated[float, Field(ge=0, le=1)] = key(0.1, "Share of the wait that is random, 0 to 1.", "jitter: 0.1")


class Keep(Keys):
    """How long finished jobs stay in the table; keys that are left out come from `defaults`."""

    called = "keep"

    completed: Duration = key(timedelta(days=7), "Jobs that succeeded.", "completed: 7d")
    failed: Duration = key(timedelta(days=30), "Jobs that failed.", "failed: 30d")
    cancelled: Duration = key(timedelta(days=7), "Jobs that were cancelled.", "cancelled: 7d")


class PerSend(Keys):
    """Most that one send may ask for in place of what the task says; without a bound, anything."""

    called = "per_send"

    retry: Annotated[int, Field(ge=0, le=1000)] | None = key(None, "Most retries.", "retry: 10")
    timeout: PositiveDuration | None = key(None, "Longest timeout.", "timeout: 1h")
    keep: PositiveDuration | None = key(None, "Longest that the finished job stays.", "keep: 90d")


class Unique(Keys):
    """Which second job is not made."""

    called = "unique"
    short_form = ("fields", list, "a list of payload fields")

    fields: Many[Name] = key((), "Payload fields that must be equal; none: all of it.", "fields: [story_id]")
    while_: While = key(
        "queued",
        "Until when the first job stands in the way: while it is `queued`, while it is queued or `active`, or for a `period`.",
        "while: active",
        alias="while",
    )
    period: PositiveDuration | None = key(None, "For `while: period`: how long after it was sent.", "period: 1h")
    on_duplicate: OnDuplicate = key(
        "ignore",
        "For a later send while the first job is queued: make no job (`ignore`), give the first one its payload and run time "
        "(`replace`), or do so and move it further, never nearer (`postpone`).",
        "on_duplicate: replace",
    )
    at_most: PositiveDuration | None = key(
        None, "How far from its first send a job may be moved by later ones.", "at_most: 5m"
    )


class Defaults(Keys):
    """What tasks have that say nothing else."""

    called = "defaults"

    queue: Name = key("default", "Queue of the tasks.", "queue: default")
    priority: Priority = key(0, "Jobs of a higher priority run first.", "priority: 10")
    timeout: PositiveDuration = key(timedelta(minutes=5), "Longest an attempt may run.", "timeout: 5m")
    retry: Retry = key(Retry(), "How failed attempts are repeated.", "retry: {limit: 3, delay: 1s}")
    keep: Keep = key(Keep(), "How long finished jobs stay.", "keep: {completed: 7d, failed: 30d}")
    max_queued: Count | None = key(None, "Most waiting jobs; sends above it are refused.", "max_queued: 10000")
    on_failed: Annotated[AliasText | None, SHOWN] = key(
        None, "Task that gets a job when one has failed for good.", "on_failed: report-failure"
    )
    max_wait: Annotated[PositiveDuration | None, SHOWN] = key(
        None, "Longest a due job should wait; breaches are shown.", "max_wait: 2m"
    )
    log_lines: LogLines = key(
        50, "How many of the last lines that an attempt logged are kept with its job.", "log_lines: 0"
    )


class TaskKeys(Defaults):
    """One task."""

    called = "a task"
    required = ("handler",)

    handler: PathText = key("", "The function that runs its jobs.", "handler: package.module:function")
    description: str = key("", "What it does, for people.")
    aliases: Many[AliasText] = key((), "Other names for it, such as former ids.", "aliases: [old-name]")
    concurrency: Concurrency = key(Concurrency(), "How many jobs are active at once.", "concurrency: 5")
    rate: TaskRate | None = key(None, "How many jobs may start in a time.", "rate: {limit: 60/m, per_key: 1/s}")
    units: dict[Name, Amount] = key(
        {}, "What a job uses of the units of its limits: an estimate.", "units: {tokens: 1500}"
    )
    budget: BudgetText | None = key(None, "What its jobs may cost a day.", "budget: 5.00 USD/d")
    uses: Many[Name] = key((), "Shared limits, by name.", "uses: [ai]")
    order: Literal["strict"] | None = key(
        None,
        "`strict`: of the jobs that share a `key` only the oldest may run, also while it waits for a retry.",
        "order: strict",
    )
    after_failure: AfterFailure = key(
        "hold",
        "For `order: strict`: whether a failed job holds its key until it is retried or cancelled, or the next one runs.",
        "after_failure: skip",
    )
    cron: Schedule | Many[NamedSchedule] | None = key(
        None, "When jobs are sent by themselves: a line, a mapping, or a list of named mappings.", 'cron: "*/5 * * * *"'
    )
    settings: dict[str, Any] = key({}, "Settings of the handler, as it names them.", "settings: {keywords: [one, two]}")
    unique: Unique | None = key(None, "Which second job is not made.", "unique: [story_id]")
    per_send: PerSend = key(PerSend(), "Most that a send may ask for.", "per_send: {retry: 10, timeout: 1h}")
    sensitive: Many[FieldPath] = key((), "Payload fields that are never shown.", "sensitive: [email, user.phone]")
    paused: bool = key(False, "Start no jobs; they wait.", "paused: true")


class Task(TaskKeys):
    """One task with all that governs its jobs. ``settings`` is as in the file: ``${NAME}`` is still in it."""

    id: str

    @property
    def schedules(self) -> dict[str, Schedule]:
        """Its schedules by the names that their ticks have."""
        if isinstance(self.cron, tuple):
            return {f"{self.id}/{one.name}": one for one in self.cron}
        return {} if self.cron is None else {self.id: self.cron}

    @property
    def per_key(self) -> int | None:
        """Most active jobs that share a key: one where they run in strict order."""
        return 1 if self.order else self.concurrency.per_key

    @property
    def definition(self) -> dict[str, Any]:
        """Its keys as the catalogue keeps them, in JSON; without its settings, which only its handler reads."""
        return self.model_dump(mode="json", exclude={"settings"})

    @classmethod
    def shown(cls, definition: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a definition that the commands ``tasks`` and ``why`` show, by key; None where a task has none."""
        names = (name for name, field in cls.model_fields.items() if SHOWN in field.metadata)
        return {name: definition.get(name) for name in names}


class ServiceKeys(Keys, extra="allow"):
    """Something that handlers talk to; all keys but `use` are its own settings."""

    called = "a service"
    required = ("use",)

    use: PathText = key("", "Its settings model.", "use: package.module:Settings")


class Service(BaseModel, frozen=True):
    """Something that handlers talk to. ``settings`` is as in the file: ``${NAME}`` is still in it."""

    name: str
    use: str
    settings: dict[str, Any] = {}


class MiddlewareKeys(Keys, extra="allow"):
    """A middleware of Dramatiq's, of another package or of your own; all keys but `use` are its own settings."""

    called = "a middleware"
    required = ("use",)
    short_form = ("use", str, "module:Class")

    use: PathText = key("", "Its class.", "use: package.module:Class")


class Middleware(BaseModel, frozen=True):
    """A Dramatiq middleware. ``settings`` is as in the file: ``${NAME}`` is still in it."""

    use: str
    settings: dict[str, Any] = {}


class File(Keys):
    """The whole file, as it is written."""

    called = "the file"
    required = ("version", "tasks")

    version: Literal[1] = key(1, "Version of this format.", "version: 1")
    timezone: ZoneName = key("UTC", "Zone of crons that name none.", "timezone: Europe/Paris")
    services: dict[str, ServiceKeys] = key(
        {}, "What handlers talk to.", "services: {ai: {use: package.module:Settings}}", json_schema_extra=NAME_KEYS
    )
    middleware: Many[MiddlewareKeys] = key(
        (),
        "Dramatiq middleware of workers and scheduler, in order.",
        "middleware: [dramatiq.middleware:CurrentMessage]",
    )
    limits: dict[str, LimitKeys] = key(
        {}, "Limits that tasks share.", "limits: {ai: {concurrency: 8}}", json_schema_extra=NAME_KEYS
    )
    migrations: Many[PackageText] = key((), "Packages that bring migrations of their own.", "migrations: [my_package]")
    defaults: Defaults = key(Defaults(), "What tasks have that say nothing else.", "defaults: {timeout: 5m}")
    tasks: dict[str, TaskKeys] = key(
        {}, "The tasks.", "tasks: {my-task: {handler: package.module:function}}", json_schema_extra=TASK_KEYS
    )


class Config(BaseModel, frozen=True, extra="forbid"):
    """A checked jobs.yaml. It holds no value of an environment variable, so it may be stored and shown.

    Attributes:
        migrations: Packages, after zeke_jobs itself, that bring migrations of their own.
        text: The file as it stands.
        digest: SHA-256 of that text, in hexadecimal.
    """

    version: Literal[1] = 1
    timezone: str = "UTC"
    services: dict[str, Service] = {}
    middleware: tuple[Middleware, ...] = ()
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
