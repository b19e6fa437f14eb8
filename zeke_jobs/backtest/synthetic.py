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
    return _Synthesis(stanza, config, begin, load, seed).workload


class _Synthesis:
    def __init__(self, stanza: LoadStanza, config: Config, begin: datetime, load: float, seed: int) -> None:
        self._stanza = stanza
        self._chance = Random(seed)  # noqa: S311 (chance, no secrets)
        self.workload = Workload(origin=begin.timestamp(), end=stanza.length.total_seconds())
        roots = self.workload.roots
        for name, one in stanza.tasks.items():
            roots += [self._job(name, sent) for sent in self._moments(one, load)]
            task = config.task(name)
            for cron in task.schedules.values() if task else ():
                for tick in ticks_of(cron, self.workload) if not cron.paused else ():
                    late = self._chance.random() * cron.jitter.total_seconds()
                    roots.append(self._job(name, tick + late, load=load, tick=True))
        roots.sort(key=lambda job: job.sent)

    def _job(self, name: str, sent: float, *, load: float = 1.0, tick: bool = False) -> Job:
        """A job and its follow-ups. More load adds no ticks to a schedule, but more follow-ups."""
        one = self._stanza.tasks.get(name)
        if one is None:
            return Job(name, sent, (Attempt(0.0),))
        key = self._chance.randrange(one.keys) if one.keys else None
        job = Job(name, sent, self._attempts(one), key=key, cost=one.cost, tick=tick)
        last = len(job.attempts) - 1
        for child, count in one.sends.items():
            for _ in range(whole(count * load, self._chance)):
                job.send(self._job(child, sent), attempt=last, after=job.attempts[last].held)
        return job

    def _attempts(self, one: SentStanza) -> tuple[Attempt, ...]:
        made: list[Attempt] = []
        while one.fails and self._chance.random() < one.fails and len(made) < _MOST_ATTEMPTS:
            made.append(Attempt(self._length(one.takes), "retry"))
        return (*made, Attempt(self._length(one.takes)))

    def _length(self, takes: TakesStanza | None) -> float:
        if takes is None:
            return 0.0
        if takes.always is not None:
            return takes.always.total_seconds()
        if takes.most is not None:
            least = takes.least.total_seconds() if takes.least else 0.0
            return self._chance.uniform(least, takes.most.total_seconds())
        assert takes.median is not None
        assert takes.p95 is not None
        median = math.log(takes.median.total_seconds())
        return self._chance.lognormvariate(median, (math.log(takes.p95.total_seconds()) - median) / _P95)

    def _moments(self, one: SentStanza, load: float) -> Iterator[float]:
        """Random moments with a given average number in each hour (a Poisson process)."""
        rate, hourly = one.rate, one.hourly or []
        if rate is not None:
            hourly = [rate.count / rate.period.total_seconds() * _HOUR]
        at, end = 0.0, self.workload.end
        while hourly and at < end:
            expected = hourly[int(at / _HOUR) % len(hourly)] * load / _HOUR
            hour_ends = (int(at / _HOUR) + 1) * _HOUR
            step = self._chance.expovariate(expected) if expected else _HOUR
            if at + step >= hour_ends:
                at = hour_ends  # a Poisson process has no memory: the next hour starts afresh
            else:
                at += step
                if at < end:
                    yield at
