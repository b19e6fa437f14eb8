"""The shape of jobs.yaml as people write it: which keys there are, of which type, each one optional."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from zeke_jobs.config.entries import (
    NAME_KEYS,
    TASK_KEYS,
    AliasText,
    EntryError,
    FieldPath,
    Name,
    PackageText,
    PathText,
    RateText,
    ZoneName,
    as_list_of_fields,
    as_mapping,
)
from zeke_jobs.config.models import Missed, Overlap, While
from zeke_jobs.core.durations import Duration

HIGHEST_PRIORITY = 100


def _positive(duration: Any) -> Any:
    if not duration:
        raise ValueError("expected a duration longer than nothing, got 0")
    return duration


def _not_none(count: Any) -> Any:
    if type(count) is int and count == 0:
        raise EntryError("expected a number of at least 1, got 0", "to start none, write paused: true")
    return count


PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Slots = Annotated[int, BeforeValidator(_not_none), Field(ge=1, le=1_000_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Priority = Annotated[int, Field(ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY)]


class Stanza(BaseModel):
    """One mapping of jobs.yaml: no key that is not listed, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_nothing(cls, value: Any) -> Any:
        if value is None:
            raise EntryError("expected a value, got nothing", "")
        return value


class ConcurrencyStanza(Stanza):
    """How many jobs are active at once, over all machines."""

    limit: Slots | None = Field(None, description="Most active jobs of the task.", examples=["limit: 20"])
    per_key: Slots | None = Field(None, description="Most active jobs that share a `key`.", examples=["per_key: 1"])


class RetryStanza(Stanza):
    """How failed attempts are repeated; keys that are left out come from `defaults`."""

    limit: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None, description="Most retries after the first attempt.", examples=["limit: 3"]
    )
    delay: Duration | None = Field(None, description="Wait before the first retry.", examples=["delay: 1s"])
    factor: Annotated[float, Field(ge=1, le=100)] | None = Field(
        None, description="What each further wait is multiplied by.", examples=["factor: 2"]
    )
    max_delay: Duration | None = Field(None, description="Longest wait.", examples=["max_delay: 10m"])
    jitter: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Share of the wait that is random, 0 to 1.", examples=["jitter: 0.1"]
    )


class KeepStanza(Stanza):
    """How long finished jobs stay in the table; keys that are left out come from `defaults`."""

    completed: Duration | None = Field(None, description="Jobs that succeeded.", examples=["completed: 7d"])
    failed: Duration | None = Field(None, description="Jobs that failed.", examples=["failed: 30d"])
    cancelled: Duration | None = Field(None, description="Jobs that were cancelled.", examples=["cancelled: 7d"])


class UniqueStanza(Stanza):
    """Which second job is not made."""

    fields: list[Name] = Field(
        [], description="Payload fields that must be equal; none: all of it.", examples=["fields: [story_id]"]
    )
    while_: While = Field(
        "queued",
        alias="while",
        description="Until when the first job stands in the way: while it is `queued`, while it is queued or"
        " `active`, or for a `period`.",
        examples=["while: active"],
    )
    period: PositiveDuration | None = Field(
        None, description="For `while: period`: how long after it was sent.", examples=["period: 1h"]
    )


class CronStanza(Stanza):
    """When jobs of the task are sent by themselves."""

    at: str | None = Field(None, description="The cron line.", examples=['at: "*/5 * * * *"'])
    timezone: ZoneName | None = Field(
        None, description="Zone it is read in; the file's by default.", examples=["timezone: Europe/Paris"]
    )
    missed: Missed = Field(
        "latest", description="What is sent for ticks missed while no scheduler ran.", examples=["missed: latest"]
    )
    window: PositiveDuration | None = Field(
        None, description="How far back missed ticks are looked for.", examples=["window: 1d"]
    )
    overlap: Overlap = Field(
        "skip",
        description="Whether a tick is skipped while the job of the one before is unfinished.",
        examples=["overlap: skip"],
    )
    jitter: Duration | None = Field(
        None, description="Jobs become due up to this much later, at random.", examples=["jitter: 30s"]
    )
    payload: dict[str, Any] = Field({}, description="Payload of the jobs.", examples=["payload: {reason: schedule}"])
    paused: bool = Field(False, description="Send nothing.", examples=["paused: true"])


Concurrency = Annotated[
    ConcurrencyStanza,
    BeforeValidator(as_mapping("limit", int, "a whole number"), json_schema_input_type=Count | ConcurrencyStanza),
]
Cron = Annotated[
    CronStanza, BeforeValidator(as_mapping("at", str, "a cron line"), json_schema_input_type=str | CronStanza)
]
Unique = Annotated[UniqueStanza, BeforeValidator(as_list_of_fields, json_schema_input_type=list[Name] | UniqueStanza)]


class DefaultsStanza(Stanza):
    """What tasks have that say nothing else."""

    queue: Name | None = Field(None, description="Queue of the tasks.", examples=["queue: default"])
    priority: Priority | None = Field(
        None, description="Jobs of a higher priority run first.", examples=["priority: 10"]
    )
    timeout: PositiveDuration | None = Field(None, description="Longest an attempt may run.", examples=["timeout: 5m"])
    retry: RetryStanza | None = Field(
        None, description="How failed attempts are repeated.", examples=["retry: {limit: 3, delay: 1s}"]
    )
    keep: KeepStanza | None = Field(
        None, description="How long finished jobs stay.", examples=["keep: {completed: 7d, failed: 30d}"]
    )
    max_queued: Count | None = Field(
        None, description="Most waiting jobs; sends above it are refused.", examples=["max_queued: 10000"]
    )
    max_wait: PositiveDuration | None = Field(
        None, description="Longest a due job should wait; breaches are shown.", examples=["max_wait: 2m"]
    )


class TaskStanza(DefaultsStanza):
    """One task."""

    handler: PathText | None = Field(
        None, description="The function that runs its jobs.", examples=["handler: package.module:function"]
    )
    description: str = Field("", description="What it does, for people.")
    aliases: list[AliasText] = Field(
        [], description="Other names for it, such as former ids.", examples=["aliases: [old-name]"]
    )
    concurrency: Concurrency | None = Field(
        None, description="How many jobs are active at once.", examples=["concurrency: 5"]
    )
    rate: RateText | None = Field(None, description="How many jobs may start in a time.", examples=["rate: 60/m"])
    uses: list[Name] = Field([], description="Shared limits, by name.", examples=["uses: [ai]"])
    cron: Cron | None = Field(None, description="When jobs are sent by themselves.", examples=['cron: "*/5 * * * *"'])
    settings: dict[str, Any] = Field(
        {}, description="Settings of the handler, as it names them.", examples=["settings: {keywords: [one, two]}"]
    )
    unique: Unique | None = Field(None, description="Which second job is not made.", examples=["unique: [story_id]"])
    sensitive: list[FieldPath] = Field(
        [], description="Payload fields that are never shown.", examples=["sensitive: [email, user.phone]"]
    )
    paused: bool = Field(False, description="Start no jobs; they wait.", examples=["paused: true"])


class LimitStanza(Stanza):
    """A limit that tasks share."""

    description: str = Field("", description="What it protects, for people.")
    concurrency: Slots | None = Field(
        None, description="Most active jobs of all tasks that use it.", examples=["concurrency: 8"]
    )
    rate: RateText | None = Field(None, description="How many jobs may start in a time.", examples=["rate: 60/m"])
    paused: bool = Field(False, description="Start no jobs of these tasks.", examples=["paused: true"])


class ServiceStanza(Stanza):
    """Something that handlers talk to; all keys but `use` are its own settings."""

    model_config = ConfigDict(extra="allow")

    use: PathText | None = Field(None, description="Its settings model.", examples=["use: package.module:Settings"])


class FileStanza(Stanza):
    """The whole file."""

    version: Literal[1] | None = Field(None, description="Version of this format.", examples=["version: 1"])
    timezone: ZoneName = Field("UTC", description="Zone of crons that name none.", examples=["timezone: Europe/Paris"])
    services: dict[str, ServiceStanza] = Field(
        {},
        description="What handlers talk to.",
        examples=["services: {ai: {use: package.module:Settings}}"],
        json_schema_extra=NAME_KEYS,
    )
    limits: dict[str, LimitStanza] = Field(
        {},
        description="Limits that tasks share.",
        examples=["limits: {ai: {concurrency: 8}}"],
        json_schema_extra=NAME_KEYS,
    )
    migrations: list[PackageText] = Field(
        [], description="Packages that bring migrations of their own.", examples=["migrations: [my_package]"]
    )
    defaults: DefaultsStanza = Field(
        DefaultsStanza(), description="What tasks have that say nothing else.", examples=["defaults: {timeout: 5m}"]
    )
    tasks: dict[str, TaskStanza] = Field(
        {},
        description="The tasks.",
        examples=["tasks: {my-task: {handler: package.module:function}}"],
        json_schema_extra=TASK_KEYS,
    )
