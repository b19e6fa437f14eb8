"""Varies a workload: more or less load, other schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from copy import copy
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from zeke_jobs.cron.calendar import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from zeke_jobs.backtest.workload import Key, Workload
    from zeke_jobs.config.models import Config, Task
    from zeke_jobs.config.schedules import Schedule


def vary(workload: Workload, before: Config, after: Config, *, load: float = 1.0, seed: int = 0) -> Workload:
    """The workload under another configuration's schedules, with ``load`` times its jobs."""
    varied = _copied(workload)
    chance = Random(seed)  # noqa: S311 (chance, no secrets)
    _reschedule(varied, before, after, chance)
    if load != 1.0:
        _multiply(varied, load, chance)
    varied.roots.sort(key=varied.sent.__getitem__)
    return varied


def _copied(workload: Workload) -> Workload:
    varied = copy(workload)
    for name, value in vars(workload).items():
        if isinstance(value, list):
            setattr(varied, name, list(value))
    varied.follow_ups = {job: list(sent) for job, sent in workload.follow_ups.items()}
    varied.ends = {job: list(members) for job, members in workload.ends.items()}
    return varied


def _copy_with_all(workload: Workload, job: int, sent: float, rename: Callable[[Key | None], Key | None]) -> int:
    """Copy a job and all its follow-ups."""
    first = workload.copy(job, sent, rename(workload.key[job]))
    pairs = [(job, first)]
    for original, made in pairs:
        for follow_up in workload.follow_ups.get(original, ()):
            child = workload.copy(
                follow_up.job,
                sent + workload.sent[follow_up.job] - workload.sent[job],
                rename(workload.key[follow_up.job]),
            )
            workload.follows(made, child, attempt=follow_up.attempt, after=follow_up.after)
            pairs.append((follow_up.job, child))
    return first


# ── schedules ──


def _reschedule(workload: Workload, before: Config, after: Config, chance: Random) -> None:
    """Replace the recorded ticks of each changed schedule by its new ticks, with jobs like the recorded ones."""
    changed = _rescheduled(before, after)
    if not changed:
        return
    models: defaultdict[str, list[int]] = defaultdict(list)
    others: defaultdict[str, list[int]] = defaultdict(list)
    kept = []
    for root in workload.roots:
        task = after.task(workload.task[root])
        name = task.id if task else workload.task[root]
        if name in changed:
            (models if workload.tick[root] else others)[name].append(root)
        if not (name in changed and workload.tick[root]):
            kept.append(root)
    for name, schedules in changed.items():
        like = models[name] or others[name]
        for cron in schedules:
            for tick in _ticks(cron, workload) if like else ():
                job = _copy_with_all(workload, chance.choice(like), tick, lambda key: key)
                workload.tick[job] = True
                workload.delay[job] = chance.random() * cron.jitter.total_seconds()
                workload.leaves[job] = None
                kept.append(job)
    workload.roots = kept


def unknown_schedules(workload: Workload, before: Config, after: Config) -> list[str]:
    """Tasks with a changed schedule and no recorded job, so that the length of their jobs is unknown."""
    seen = {task.id for name in set(workload.task) if (task := after.task(name))}
    return [task for task, schedules in _rescheduled(before, after).items() if schedules and task not in seen]


def _rescheduled(before: Config, after: Config) -> dict[str, list[Schedule]]:
    """The tasks whose ticks change, with their new schedules that are not paused."""
    return {
        task.id: [cron for cron in task.schedules.values() if not cron.paused]
        for task in after.tasks.values()
        if _timing(task) != _timing(before.task(task.id))
    }


def _ticks(cron: Schedule, workload: Workload) -> list[float]:
    begin, end = (datetime.fromtimestamp(workload.origin + at, UTC) for at in (workload.begin, workload.end))
    return [tick.timestamp() - workload.origin for tick in parse(cron.at).between(begin, end, ZoneInfo(cron.timezone))]


def _timing(task: Task | None) -> set[tuple[str, str]]:
    return {(cron.at, cron.timezone) for cron in task.schedules.values() if not cron.paused} if task else set()


# ── load ──


def _multiply(workload: Workload, load: float, chance: Random) -> None:
    """Multiply the jobs from outside by ``load``. Ticks stay; the jobs that jobs of ticks send are multiplied."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for root in workload.roots:
        times[workload.task[root]].append(workload.sent[root])
    kept = []
    for root in list(workload.roots):
        if workload.tick[root]:
            kept.append(root)
            _multiply_follow_ups(workload, root, load, chance)
            continue
        copies = _whole(load, chance)
        if copies:
            kept.append(root)
        sent = workload.sent[root]
        known = times[workload.task[root]]
        following = bisect_right(known, sent)
        room = (known[following] if following < len(known) else workload.end) - sent
        # Between this job and the next one of its task, so that busy times stay busy and quiet times quiet.
        kept += [
            _copy_with_all(workload, root, sent + chance.random() * max(room, 0.0), _renamed(number))
            for number in range(1, copies)
        ]
    workload.roots = kept


def _multiply_follow_ups(workload: Workload, parent: int, load: float, chance: Random) -> None:
    sent = []
    for follow_up in workload.follow_ups.get(parent, ()):
        copies = _whole(load, chance)
        if copies:
            sent.append(follow_up)
        for number in range(1, copies):
            made = _copy_with_all(workload, follow_up.job, workload.sent[follow_up.job], _renamed(number))
            sent.append(follow_up._replace(job=made))
    if parent in workload.follow_ups:
        workload.follow_ups[parent] = sent


def _whole(load: float, chance: Random) -> int:
    return int(load) + (chance.random() < load - int(load))


def _renamed(number: int) -> Callable[[Key | None], Key | None]:
    """A key for copies: more load brings more keys (hosts, customers), not more jobs per key."""
    return lambda key: None if key is None else f"{key} #{number + 1}"
