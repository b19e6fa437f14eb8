"""Defines the keys of jobs.yaml. The JSON Schema, the checks, the catalogue and the commands use these models."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from zeke_jobs.config.entries import (
    NAME,
    SHOWN,
    TASK,
    AliasText,
    Count,
    FieldPath,
    Keys,
    Many,
    Name,
    PackageText,
    PathText,
    PositiveDuration,
    ZoneName,
    key,
)
from zeke_jobs.config.limits import Amount, BudgetText, Concurrency, Limit, LimitKeys, NamedSchedule, Schedule, TaskRate
from zeke_jobs.payload.model import Duration


class Retry(Keys):
    """Sets how failed attempts are repeated. Keys that are left out come from `defaults`."""

    # The n-th retry waits min(max_delay, delay * factor ** (n - 1)) times a random 1 ± jitter, but at most max_delay.

    limit: Annotated[int, Field(ge=0, le=1000)] = key(3, "Maximum number of retries.", "limit: 3")
    delay: Duration = key(timedelta(seconds=1), "Wait before the first retry.", "delay: 1s")
    factor: Annotated[float, Field(ge=1, le=100)] = key(2.0, "Factor by which each wait grows.", "factor: 2")
    max_delay: Duration = key(timedelta(minutes=10), "Maximum wait.", "max_delay: 10m")
    jitter: Annotated[float, Field(ge=0, le=1)] = key(0.1, "Share of the wait that is random, 0 to 1.", "jitter: 0.1")


class Keep(Keys):
    """Sets how long finished jobs stay in the table. Keys that are left out come from `defaults`."""

    completed: Duration = key(timedelta(days=7), "Jobs that succeeded.", "completed: 7d")
    failed: Duration = key(timedelta(days=30), "Jobs that failed.", "failed: 30d")
    cancelled: Duration = key(timedelta(days=7), "Jobs that were cancelled.", "cancelled: 7d")


class PerSend(Keys):
    """Bounds the values that a send may set in place of the task's values. Without a bound, any value is accepted."""

    retry: Annotated[int, Field(ge=0, le=1000)] | None = key(None, "Maximum number of retries.", "retry: 10")
    timeout: PositiveDuration | None = key(None, "Maximum timeout.", "timeout: 1h")
    keep: PositiveDuration | None = key(None, "Maximum time for which the finished job is kept.", "keep: 90d")


class Unique(Keys):
    """Sets when a send that equals an earlier job makes no new job."""

    short_form = ("fields", list, "a list of payload fields")

    fields: Many[Name] = key((), "Payload fields that must be equal; by default all.", "fields: [story_id]")
    while_: Literal["queued", "active", "period"] = key(
        "queued",
        "How long the first job prevents a second: while it is `queued`, while it is queued or `active`, or for a `period`.",
        "while: active",
        alias="while",
    )
    period: PositiveDuration | None = key(None, "For `while: period`: the time since the first send.", "period: 1h")
    on_duplicate: Literal["ignore", "replace", "postpone"] = key(
        "ignore",
        "A later send while the first job is queued makes no job (`ignore`), gives the first one its payload and run time "
        "(`replace`), or does so but never makes it run earlier (`postpone`).",
        "on_duplicate: replace",
    )
    at_most: PositiveDuration | None = key(
        None, "Maximum time after the first send to which later sends may move the job.", "at_most: 5m"
    )


class Share(Keys):
    """Lets keys take turns if more jobs are due than may start."""

    short_form = ("by", str, "key")

    by: Literal["key"] = key("key", "What takes turns: the `key` that jobs were sent with.", "by: key")
    weights: dict[str, Annotated[int, Field(ge=1, le=1000)]] = key(
        {}, "Jobs of a key in each of its turns; one for a key without an entry.", "weights: {customer-a: 3}"
    )


class Chunk(Keys):
    """Sets which jobs the handler gets together, in one call."""

    required = ("size",)
    short_form = ("size", int, "a whole number")

    size: Annotated[int, Field(ge=2, le=1000)] = key(2, "Maximum number of jobs in a call.", "size: 50")
    wait: Duration = key(timedelta(seconds=1), "Maximum time that a due job waits for others.", "wait: 2s")
    by: Literal["key"] | None = key(None, "`key`: only jobs that share a `key` go together.", "by: key")


class Defaults(Keys):
    """Sets the values of tasks that do not set their own."""

    queue: Name = key("default", "Queue of the tasks.", "queue: default")
    priority: Annotated[int, Field(ge=-100, le=100)] = key(0, "Jobs of a higher priority run first.", "priority: 10")
    age: PositiveDuration | None = key(None, "The priority of a due job rises by one after each such time.", "age: 10m")
    timeout: PositiveDuration = key(timedelta(minutes=5), "Maximum duration of an attempt.", "timeout: 5m")
    retry: Retry = key(Retry(), "How failed attempts are repeated.", "retry: {limit: 3, delay: 1s}")
    keep: Keep = key(Keep(), "How long finished jobs stay.", "keep: {completed: 7d, failed: 30d}")
    max_queued: Count | None = key(None, "Maximum number of waiting jobs; more are refused.", "max_queued: 10000")
    on_failed: Annotated[AliasText | None, SHOWN] = key(
        None, "Task that gets a job for each job that has failed for good.", "on_failed: report-failure"
    )
    max_wait: Annotated[PositiveDuration | None, SHOWN] = key(
        None, "Time within which a due job should start; longer waits are shown.", "max_wait: 2m"
    )
    log: Literal["failed", "always", "never"] = key(
        "failed",
        "The attempts whose last log lines are kept with the job: those that do not complete (`failed`), all, or none.",
        "log: always",
    )
    log_lines: Annotated[int, Field(ge=0, le=1000)] = key(
        50, "Number of an attempt's last log lines that are kept.", "log_lines: 200"
    )


class TaskKeys(Defaults):
    """Defines one task."""

    called = "a task"
    required = ("handler",)

    handler: PathText = key("", "The function that runs its jobs.", "handler: package.module:function")
    description: str = key("", "The task's purpose, for people.")
    aliases: Many[AliasText] = key((), "Other names for it, such as former ids.", "aliases: [old-name]")
    concurrency: Concurrency = key(Concurrency(), "How many jobs are active at once.", "concurrency: 5")
    rate: TaskRate | None = key(None, "Maximum number of starts per time.", "rate: {limit: 60/m, per_key: 1/s}")
    units: dict[Name, Amount] = key({}, "Estimated use of one job, by unit.", "units: {tokens: 1500}")
    budget: BudgetText | None = key(None, "Maximum cost per day of its jobs.", "budget: 5.00 USD/d")
    uses: Many[Name] = key((), "Shared limits, by name.", "uses: [ai]")
    chunk: Chunk | None = key(None, "The handler gets a list of jobs.", "chunk: {size: 50, wait: 2s}")
    order: Literal["strict"] | None = key(
        None, "`strict`: of jobs with one `key` only the oldest may run, even if it waits for a retry.", "order: strict"
    )
    share: Share | None = key(
        None, "Keys take turns while more jobs are due than may start.", "share: {by: key, weights: {customer-a: 3}}"
    )
    after_failure: Literal["hold", "skip"] = key(
        "hold",
        "For `order: strict`: a failed job blocks its key until it is retried or cancelled (`hold`), or not (`skip`).",
        "after_failure: skip",
    )
    cron: Schedule | Many[NamedSchedule] | None = key(
        None, "When the scheduler sends jobs: a line, a mapping, or a list of named mappings.", 'cron: "*/5 * * * *"'
    )
    settings: dict[str, Any] = key({}, "Settings of the handler.", "settings: {keywords: [one, two]}")
    unique: Unique | None = key(None, "When a send makes no second, equal job.", "unique: [story_id]")
    per_send: PerSend = key(PerSend(), "The highest values that a send may set.", "per_send: {retry: 10, timeout: 1h}")
    sensitive: Many[FieldPath] = key((), "Payload fields that are masked everywhere.", "sensitive: [email, user.phone]")
    paused: bool = key(False, "Start no jobs; they wait.", "paused: true")


class Task(TaskKeys):
    """Holds a task with all its values, also those from ``defaults``. ``settings`` has each ``${NAME}`` unchanged."""

    id: str

    @property
    def schedules(self) -> dict[str, Schedule]:
        """Return the task's schedules, by name: ``task/name``, or the task's id for the only schedule of a task."""
        if isinstance(self.cron, tuple):
            return {f"{self.id}/{one.name}": one for one in self.cron}
        return {} if self.cron is None else {self.id: self.cron}

    @property
    def per_key(self) -> int | None:
        """Return the maximum number of active jobs with the same key: 1 with ``order: strict``."""
        return 1 if self.order else self.concurrency.per_key

    @property
    def definition(self) -> dict[str, Any]:
        """Return the task's keys as JSON data for the table of tasks, without schedules and the handler's settings."""
        return self.model_dump(mode="json", exclude={"settings", "cron"})

    @classmethod
    def shown(cls, definition: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a task, by key, that the commands ``tasks`` and ``why`` show. A missing key has None."""
        names = (name for name, field in cls.model_fields.items() if SHOWN in field.metadata)
        return {name: definition.get(name) for name in names}


class Service(Keys, extra="allow"):
    """Names a system that handlers use. All keys except `use` are its settings."""

    called = "a service"
    required = ("use",)

    use: PathText = key("", "Its settings model.", "use: package.module:Settings")

    @property
    def settings(self) -> dict[str, Any]:
        """Return the service's settings as in the file, with each ``${NAME}`` unchanged."""
        return self.model_extra or {}


class Middleware(Service):
    """Names a middleware class of Dramatiq, a package or your code. All keys except `use` are its settings."""

    called = "a middleware"
    short_form = ("use", str, "module:Class")

    use: PathText = key("", "Its class.", "use: package.module:Class")


class File(Keys):
    """Holds the whole file as written, before defaults are filled in."""

    called = "the file"
    required = ("version", "tasks")

    version: Literal[1] = key(1, "Version of this format.", "version: 1")
    timezone: ZoneName = key("UTC", "Time zone of crons that set none.", "timezone: Europe/Paris")
    services: dict[str, Service] = key(
        {}, "Systems that handlers talk to.", "services: {ai: {use: module:Settings}}", json_schema_extra=NAME.of_keys
    )
    middleware: Many[Middleware] = key(
        (), "Dramatiq middleware of all processes, in order.", "middleware: [dramatiq.middleware:CurrentMessage]"
    )
    limits: dict[str, LimitKeys] = key(
        {}, "Limits that tasks share.", "limits: {ai: {concurrency: 8}}", json_schema_extra=NAME.of_keys
    )
    migrations: Many[PackageText] = key((), "Packages that bring migrations of their own.", "migrations: [my_package]")
    defaults: Defaults = key(Defaults(), "Values for tasks that do not set their own.", "defaults: {timeout: 5m}")
    tasks: dict[str, TaskKeys] = key(
        {}, "The tasks.", "tasks: {my-task: {handler: package.module:function}}", json_schema_extra=TASK.of_keys
    )


class Config(File):
    """Holds a checked jobs.yaml. Limits have names. Tasks have values of ``defaults``. No ``${NAME}`` is filled in."""

    limits: dict[str, Limit] = Field({})  # type: ignore[assignment] # dict is invariant
    tasks: dict[str, Task] = Field({})  # type: ignore[assignment]
    text: str = ""  # the file's text
    digest: str = ""  # SHA-256 of the file's text, in hexadecimal

    def task(self, name: str) -> Task | None:
        """Return the task with this id or alias, or None."""
        if name in self.tasks:
            return self.tasks[name]
        return next((task for task in self.tasks.values() if name in task.aliases), None)

    @property
    def queues(self) -> tuple[str, ...]:
        """Return the sorted names of the queues in use."""
        return tuple(sorted({task.queue for task in self.tasks.values()}))
