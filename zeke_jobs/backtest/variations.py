"""Varies a workload: more or less load, other schedules."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from zeke_jobs.backtest.workload import Job, Workload
from zeke_jobs.config.models import Config, Task
from zeke_jobs.config.schedules import Schedule
from zeke_jobs.cron.calendar import parse


def vary(workload: Workload, before: Config, after: Config, *, load: float = 1.0, seed: int = 0) -> Workload:
    """The workload under another configuration's schedules, with ``load`` times its jobs. Jobs are copied, not changed."""
    chance = Random(seed)  # noqa: S311 (chance, no secrets)
    roots = _rescheduled(workload, before, after, chance)
    if load != 1.0:
        roots = _multiplied(roots, workload.end, load, chance)
    return replace(workload, roots=sorted(roots, key=lambda job: job.sent))


def _copy(job: Job, sent: float, number: int = 0) -> Job:
    """A job with all that it sends. More load brings more keys (hosts, customers), so ``number`` renames them."""

    def one(of: Job) -> Job:
        key = of.key if of.key is None or not number else f"{of.key} #{number + 1}"
        return replace(of, sent=of.sent + sent - job.sent, waited=None, key=key)

    copies = [one(job)]
    for made in copies:
        made.sends = [sends._replace(job=one(sends.job)) for sends in made.sends]
        copies += [sends.job for sends in made.sends]
    return copies[0]


# ── schedules ──


def _rescheduled(workload: Workload, before: Config, after: Config, chance: Random) -> list[Job]:
    """The jobs with the ticks of each changed schedule replaced by its new ticks, with jobs like the recorded ones."""
    changed = _changed(before, after)
    ticks: defaultdict[str, list[Job]] = defaultdict(list)
    others: defaultdict[str, list[Job]] = defaultdict(list)
    kept = []
    for job in workload.roots:
        task = after.task(job.task) if changed else None
        if task is None or task.id not in changed:
            kept.append(job)
        elif job.tick:
            ticks[task.id].append(job)
        else:
            others[task.id].append(job)
            kept.append(job)
    for name, schedules in changed.items():
        like = ticks[name] or others[name]
        for cron in schedules if like else ():
            for tick in ticks_of(cron, workload):
                job = _copy(chance.choice(like), tick)
                job.tick, job.leaves, job.delay = True, None, chance.random() * cron.jitter.total_seconds()
                kept.append(job)
    return kept


def unknown_schedules(workload: Workload, before: Config, after: Config) -> list[str]:
    """Tasks with a changed schedule and no recorded job, so that the length of their jobs is unknown."""
    seen = {task.id for name in {job.task for job in workload.jobs()} if (task := after.task(name))}
    return [task for task, schedules in _changed(before, after).items() if schedules and task not in seen]


def _changed(before: Config, after: Config) -> dict[str, list[Schedule]]:
    """The tasks whose ticks change, with their new schedules that are not paused."""
    return {task.id: _active(task) for task in after.tasks.values() if _timing(task) != _timing(before.task(task.id))}


def _active(task: Task | None) -> list[Schedule]:
    return [cron for cron in task.schedules.values() if not cron.paused] if task else []


def _timing(task: Task | None) -> set[tuple[str, str]]:
    return {(cron.at, cron.timezone) for cron in _active(task)}


def ticks_of(cron: Schedule, workload: Workload) -> list[float]:
    """The ticks of a schedule within the time that counts."""
    begin, end = (datetime.fromtimestamp(workload.origin + at, UTC) for at in (workload.begin, workload.end))
    return [tick.timestamp() - workload.origin for tick in parse(cron.at).between(begin, end, ZoneInfo(cron.timezone))]


# ── load ──


def _multiplied(roots: list[Job], end: float, load: float, chance: Random) -> list[Job]:
    """The jobs from outside multiplied by ``load``. Ticks stay; the jobs that jobs of ticks send are multiplied."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for job in roots:
        times[job.task].append(job.sent)
    made = []
    for job in roots:
        if job.tick:
            sends = [
                one._replace(job=_copy(one.job, one.job.sent, n))
                for one in job.sends
                for n in range(whole(load, chance))
            ]
            made.append(replace(job, sends=sends))
            continue
        known = times[job.task]
        following = bisect_right(known, job.sent)
        room = max((known[following] if following < len(known) else end) - job.sent, 0.0)
        # Copies are sent before the next job of the task, so that busy times stay busy and quiet times quiet.
        made += [
            _copy(job, job.sent + chance.random() * room, number) if number else job
            for number in range(whole(load, chance))
        ]
    return made


def whole(count: float, chance: Random) -> int:
    """A whole number whose average is ``count``."""
    return int(count) + (chance.random() < count - int(count))
