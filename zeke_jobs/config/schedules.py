"""The keys of a schedule in jobs.yaml."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from zeke_jobs.config.entries import EntryError, Name, ZoneName
from zeke_jobs.config.keys import Keys, key, no_default
from zeke_jobs.cron.line import CronError, read
from zeke_jobs.payload.model import Duration

_EXAMPLE = 'minute hour day month weekday, for example "*/5 * * * *" or "@daily"'
Missed = Literal["latest", "skip", "all"]
Overlap = Literal["skip", "allow"]


def _check_line(text: str) -> str:
    try:
        read(text)
    except CronError as error:
        raise EntryError(error.reason, error.help or _EXAMPLE) from error
    return text


class Schedule(Keys):
    """When the scheduler sends jobs of the task."""

    called = "cron"
    required: ClassVar[tuple[str, ...]] = ("at",)
    short_form: ClassVar[tuple[str, type, str] | None] = ("at", str, "a cron line")

    at: Annotated[str, AfterValidator(_check_line)] = key("", "The cron line.", 'at: "*/5 * * * *"')
    timezone: ZoneName = key(
        "UTC", "Time zone of the line; by default the file's.", "timezone: Europe/Paris", json_schema_extra=no_default
    )
    missed: Missed = key(
        "latest", "Ticks missed while no scheduler ran: send the `latest`, `all`, or none (`skip`).", "missed: latest"
    )
    window: Duration = key(timedelta(days=1), "How far back the scheduler looks for missed ticks.", "window: 1d")
    overlap: Overlap = key(
        "skip", "`skip` a tick while the job of the tick before is unfinished, or `allow` it.", "overlap: skip"
    )
    jitter: Duration = key(timedelta(0), "Jobs become due up to this much later, at random.", "jitter: 30s")
    payload: dict[str, Any] = key({}, "Payload of the jobs.", "payload: {reason: schedule}")
    paused: bool = key(False, "Send nothing.", "paused: true")


class NamedSchedule(Schedule):
    """One of several schedules of a task."""

    called = "a named cron"
    required = ("name", "at")
    short_form = None

    name: Name = key("", "Its name; the schedule is called `TASK/NAME`.", "name: nightly")
    job_key: str | None = key(None, "The `key` of its jobs.", "key: team-7", alias="key")
