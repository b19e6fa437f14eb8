"""Makes the workload that a load file describes; the same seed gives the same workload."""

import math
from collections.abc import Iterator
from datetime import datetime
from random import Random

from zeke_jobs.backtest.load_file import LoadStanza, SentStanza, TakesStanza
from zeke_jobs.backtest.variations import ticks_of, whole
from zeke_jobs.backtest.workload import Attempt, Job, Workload
from zeke_jobs.config.models import Config

_HOUR = 3600.0
_P95 = 1.6448536269514722  # standard deviations above the mean of a normal distribution
_MOST_ATTEMPTS = 100


def synthesize(stanza: LoadStanza, config: Config, begin: datetime, *, load: float = 1.0, seed: int = 0) -> Workload:
    """Jobs from ``begin`` on, ``load`` times as many as in the file; tasks with a schedule send by their schedule."""
    chance = Random(seed)  # noqa: S311 (chance, no secrets)
    workload = Workload(origin=begin.timestamp(), end=stanza.length.total_seconds())
    roots = workload.roots
    for name, one in stanza.tasks.items():
        roots += [_job(stanza, name, sent, chance) for sent in _moments(one, load, workload.end, chance)]
        task = config.task(name)
        for cron in task.schedules.values() if task else ():
            for tick in ticks_of(cron, workload) if not cron.paused else ():
                late = chance.random() * cron.jitter.total_seconds()
                roots.append(_job(stanza, name, tick + late, chance, load=load, tick=True))
    roots.sort(key=lambda job: job.sent)
    return workload


def _job(stanza: LoadStanza, name: str, sent: float, chance: Random, *, load: float = 1.0, tick: bool = False) -> Job:
    """A job and its follow-ups. More load adds no ticks to a schedule, but more follow-ups."""
    one = stanza.tasks.get(name)
    if one is None:
        return Job(name, sent, (Attempt(0.0),))
    key = chance.randrange(one.keys) if one.keys else None
    attempts: list[Attempt] = []
    while one.fails and chance.random() < one.fails and len(attempts) < _MOST_ATTEMPTS:
        attempts.append(Attempt(_length(one.takes, chance), "retry"))
    last = Attempt(_length(one.takes, chance))
    job = Job(name, sent, (*attempts, last), key=key, cost=one.cost, tick=tick)
    for child, count in one.sends.items():
        for _ in range(whole(count * load, chance)):
            job.send(_job(stanza, child, sent, chance), attempt=len(attempts), after=last.held)
    return job


def _length(takes: TakesStanza | None, chance: Random) -> float:
    if takes is None:
        return 0.0
    if takes.always is not None:
        return takes.always.total_seconds()
    if takes.most is not None:
        least = takes.least.total_seconds() if takes.least else 0.0
        return chance.uniform(least, takes.most.total_seconds())
    assert takes.median is not None
    assert takes.p95 is not None
    median = math.log(takes.median.total_seconds())
    return chance.lognormvariate(median, (math.log(takes.p95.total_seconds()) - median) / _P95)


def _moments(one: SentStanza, load: float, end: float, chance: Random) -> Iterator[float]:
    """Random moments with a given average number in each hour (a Poisson process)."""
    rate, hourly, at = one.rate, one.hourly or [], 0.0
    if rate is not None:
        hourly = [rate.count / rate.period.total_seconds() * _HOUR]
    while hourly and at < end:
        expected = hourly[int(at / _HOUR) % len(hourly)] * load / _HOUR
        hour_ends = (int(at / _HOUR) + 1) * _HOUR
        step = chance.expovariate(expected) if expected else _HOUR
        if at + step >= hour_ends:
            at = hour_ends  # a Poisson process has no memory: the next hour starts afresh
        else:
            at += step
            if at < end:
                yield at
