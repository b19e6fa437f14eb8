"""The keys of a schedule in jobs.yaml."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Literal

from zeke_jobs.config.entries import Name, ZoneName
from zeke_jobs.config.keys import Keys, key, no_default
from zeke_jobs.core.durations import Duration

Missed = Literal["latest", "skip", "all"]
Overlap = Literal["skip", "allow"]


class Schedule(Keys):
    """When jobs of the task are sent by themselves."""

    called = "cron"
    required: ClassVar[tuple[str, ...]] = ("at",)
    short_form: ClassVar[tuple[str, type, str] | None] = ("at", str, "a cron line")

    at: str = key("", "The cron line.", 'at: "*/5 * * * *"')
    timezone: ZoneName = key(
        "UTC", "Zone it is read in; the file's by default.", "timezone: Europe/Paris", json_schema_extra=no_default
    )
    missed: Missed = key("latest", "What is sent for ticks missed while no scheduler ran.", "missed: latest")
    window: Duration = key(timedelta(days=1), "How far back missed ticks are looked for.", "window: 1d")
    overlap: Overlap = key(
        "skip", "Whether a tick is skipped while the job of the one before is unfinished.", "overlap: skip"
    )
    jitter: Duration = key(timedelta(0), "Jobs become due up to this much later, at random.", "jitter: 30s")
    payload: dict[str, Any] = key({}, "Payload of the jobs.", "payload: {reason: schedule}")
    paused: bool = key(False, "Send nothing.", "paused: true")


class NamedSchedule(Schedule):
    """One of several schedules of a task."""

    called = "a named cron"
    required = ("name", "at")
    short_form = None

    name: Name = key("", "Its name; with the task's it is the name of the schedule: `TASK/NAME`.", "name: nightly")
    job_key: str | None = key(None, "The `key` of its jobs.", "key: team-7", alias="key")
