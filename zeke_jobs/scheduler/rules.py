"""Decides for each tick (due time) of a schedule whether a job is sent, without reading the clock or the database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from zeke_jobs.core.bounds import EARLIEST
from zeke_jobs.cron.calendar import Cron
from zeke_jobs.postgres.queries import Row

Outcome = Literal["sent", "skipped"]

ON_TIME = timedelta(minutes=2)  # a restart or the database may delay a beat by this time; older ticks count as missed
GRACE = timedelta(seconds=1)  # a beat includes ticks due within this time, as periodiq wakes just before the minute
MOST_SKIPPED = 1000  # maximum number of skipped ticks to record at once; the newest are recorded


@dataclass(frozen=True)
class Timetable:
    """Describes a schedule from jobs.yaml, or a schedule that a program stored."""

    task: str  # canonical id of the task
    cron: Cron
    zone: ZoneInfo
    missed: Literal["latest", "skip", "all"] = "latest"  # as in jobs.yaml; also ``window``, ``overlap`` and ``jitter``
    window: timedelta = timedelta(days=1)
    overlap: Literal["skip", "allow"] = "skip"
    jitter: timedelta = timedelta(0)
    payload: dict[str, Any] | None = None
    paused: str = ""  # the reason why no tick is sent; empty when ticks are sent
    name: str = ""  # the name of a stored schedule; empty for a task's schedule
    key: str | None = None
    names: tuple[str, ...] = ()  # names under which the ticks may be recorded: of a task, its id and its aliases
    decided_to: datetime = EARLIEST  # all ticks up to this time are decided
    is_known: bool = False  # whether the progress is stored for this cron line

    @property
    def id(self) -> str:
        """Return the schedule's id: the name of a stored schedule, or the id of the task in jobs.yaml."""
        return self.name or self.task

    @property
    def line(self) -> dict[str, str]:
        """Return the cron line and the time zone, under their names in the database."""
        return {"cron": str(self.cron), "timezone": self.zone.key}


@dataclass(frozen=True)
class Tick:
    """Describes one tick (due time of a schedule) and its outcome."""

    task: str  # the id of the tick's timetable
    scheduled_for: datetime
    outcome: Outcome
    reason: str = ""
    job: UUID | None = None  # the job that was sent, or the earlier job because of which none was sent


def due(timetable: Timetable, decided_to: datetime, now: datetime) -> list[datetime]:
    """Return the ticks after ``decided_to`` that are due and no older than the schedule's ``window``."""
    start = max(decided_to, now - max(timetable.window, ON_TIME) - timedelta(microseconds=1))
    return list(timetable.cron.between(start, now + GRACE, timetable.zone))


def decide(timetable: Timetable, ticks: Sequence[datetime], now: datetime, unfinished: Row | None = None) -> list[Tick]:
    """Return the outcome of each due tick, in order. ``unfinished`` is the unfinished job of an earlier tick, or None.

    Several ticks are due if no scheduler ran for a while. First ``missed`` decides which ticks older than ``ON_TIME``
    are skipped, then ``overlap`` decides about the rest. If ticks were missed and ``missed`` is ``all``, all are sent.
    """
    if timetable.paused:
        return _newest([Tick(timetable.id, at, "skipped", timetable.paused) for at in ticks])
    decided = []
    for at in ticks:
        reason = ""
        if now - at > ON_TIME and timetable.missed == "skip":
            reason = "missed: no scheduler checked it within two minutes"
        elif now - at > ON_TIME and timetable.missed == "latest" and at != ticks[-1]:
            reason = f"missed: the tick of {_shown(ticks[-1])} was due by then"
        decided.append(Tick(timetable.id, at, "skipped" if reason else "sent", reason))
    catching_up = timetable.missed == "all" and any(now - at > ON_TIME for at in ticks[:1])
    if timetable.overlap == "skip" and not catching_up:
        decided = _one_at_a_time(decided, unfinished)
    return _newest(decided)


def start_of(timetable: Timetable, tick: datetime, now: datetime) -> datetime | None:
    """Return the earliest start of a tick's job, or None if it may start now. All schedulers compute the same start."""
    chance = Random(f"{timetable.id} {tick.timestamp()}").random()  # noqa: S311 (it spreads load, no secrets)
    start = tick + timetable.jitter * chance
    return start if start > now else None


def _one_at_a_time(ticks: list[Tick], unfinished: Row | None) -> list[Tick]:
    sent = [tick.scheduled_for for tick in ticks if tick.outcome == "sent"]
    if not sent:
        return ticks
    if unfinished is None:
        chosen, job = sent[-1], None
        reason = f"overlap: the tick of {_shown(chosen)} was due by then"
    else:
        chosen, job = None, unfinished.job
        word = "active" if unfinished.status == "active" else "queued"
        reason = f"overlap: the job of {_shown(unfinished.scheduled_for)} is {word}"
    return [
        tick
        if tick.outcome == "skipped" or tick.scheduled_for == chosen
        else replace(tick, outcome="skipped", reason=reason, job=job)
        for tick in ticks
    ]


def _newest(ticks: list[Tick]) -> list[Tick]:
    newest = [tick for tick in ticks if tick.outcome == "skipped"][-MOST_SKIPPED:]
    return [tick for tick in ticks if tick.outcome == "sent" or tick.scheduled_for >= newest[0].scheduled_for]


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
