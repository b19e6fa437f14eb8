"""Reads a file that describes a load, and makes jobs from the description. The same seed makes the same jobs."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from random import Random
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload, ticks_of, whole
from zeke_jobs.config import read
from zeke_jobs.config.document import Document, parse, summary
from zeke_jobs.config.entries import EntryError, Keys, PositiveDuration, key
from zeke_jobs.config.limits import RateText
from zeke_jobs.config.models import Config
from zeke_jobs.config.validation import note_missing
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.payload.faults import KEY
from zeke_jobs.payload.model import Duration

_EXAMPLE = "tasks: {my-task: {rate: 60/h, takes: 2s}}"
_HOUR = 3600.0
_P95 = 1.6448536269514722  # the 95th percentile of a normal distribution, in standard deviations above the mean
_MOST_ATTEMPTS = 100

Number = Annotated[float, Field(ge=0, le=1_000_000)]
Hours = Annotated[list[Number], Field(min_length=1, max_length=24 * 7)]


class TakesStanza(Keys):
    """Describes how long attempts take: a fixed time, or a uniform or log-normal distribution."""

    called = "takes"
    short_form = ("always", str, "a duration")

    always: PositiveDuration | None = key(None, "All the same.", "always: 2s")
    least: Duration | None = key(None, "Evenly between this and `most`.", "least: 1s")
    most: PositiveDuration | None = key(None, "Evenly up to this.", "most: 5s")
    median: PositiveDuration | None = key(None, "Half of them take longer; log-normal, with `p95`.", "median: 2s")
    p95: PositiveDuration | None = key(None, "A twentieth take longer.", "p95: 10s")

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        given = self.model_fields_set
        if given not in ({"always"}, {"least", "most"}, {"median", "p95"}):
            got = ", ".join(sorted(given)) or "nothing"
            fault = f"expected always, or least and most, or median and p95, got {got}"
            raise EntryError(fault, "for example takes: 2s")
        low, high = self.least or self.median, self.most or self.p95
        if low is not None and high is not None and low > high:
            fault = f"expected the lower bound first, got {' above '.join(sorted(given))}"
            raise EntryError(fault, "exchange the two")
        return self


class SentStanza(Keys):
    """Describes how often jobs of a task are sent, how long they take, and how they end."""

    called = "a load"
    required = ("takes",)

    rate: RateText | None = key(None, "Jobs sent in a time, at random moments.", "rate: 60/h")
    hourly: Hours | None = key(None, "Jobs sent in each hour; the list repeats.", "hourly: [10, 10, 200, 50]")
    takes: TakesStanza | None = key(None, "How long an attempt takes.", "takes: {median: 2s, p95: 10s}")
    fails: Annotated[float, Field(ge=0, lt=1)] = key(0.0, "Share of attempts that fail, 0 to 1.", "fails: 0.02")
    keys: Annotated[int, Field(ge=1, le=1_000_000)] | None = key(None, "Number of different keys.", "keys: 50")
    sends: dict[str, Number] = key({}, "Jobs of other tasks that each job sends.", "sends: {my-other-task: 3}")
    cost: Annotated[float, Field(ge=0)] | None = key(None, "Cost of a job.", "cost: 0.01")


class LoadStanza(Keys):
    """Describes a whole load file, which says how many jobs of each task a backtest simulates."""

    called = "the file"
    required = ("version", "tasks")

    version: Literal[1] | None = key(None, "Version of this format.", "version: 1")
    length: PositiveDuration = key(timedelta(days=1), "For how long jobs are sent.", "length: 1d")
    tasks: dict[str, SentStanza] = key({}, "The load of each task.", _EXAMPLE)


def load_text(text: str, name: str, config: Config) -> LoadStanza:
    """Read a text that describes a load of the tasks of ``config``. Raises ConfigurationError with all faults."""
    document = parse(text)
    found = read(document, LoadStanza, f"for example {_EXAMPLE}") if document.is_whole else None
    if found is not None:
        _check(document, found, config)
    faults = document.diagnostics(name)
    if found is None or faults:
        raise ConfigurationError(summary(faults), faults)
    return found


def _check(document: Document, stanza: LoadStanza, config: Config) -> None:
    note_missing(document, LoadStanza)
    for name, one in stanza.tasks.items():
        path = ("tasks", name)
        for place, task in [(path, name), *(((*path, "sends", sent), sent) for sent in one.sends)]:
            if config.task(task) is None:
                text = f"expected a task of jobs.yaml, got {quote(task)}"
                document.refuse((*place, KEY), text, suggest(task, list(config.tasks), what="tasks"))
        if one.rate is not None and one.hourly is not None:
            document.refuse((*path, "hourly", KEY), "expected rate or hourly, got both", "keep one")
    sends = {name: [sent for sent, count in one.sends.items() if count] for name, one in stanza.tasks.items()}
    try:
        TopologicalSorter(sends).prepare()
    except CycleError as error:  # the load would never end
        start = next(name for name in sends if name in error.args[1])
        text = f"expected jobs of {start} to send no further ones of {start} in the end, got a circle"
        document.refuse(("tasks", start, "sends", KEY), text)


def synthesize(stanza: LoadStanza, config: Config, begin: datetime, fleet: Fleet, *, seed: int = 0) -> Workload:
    """Make the jobs that a load file describes, and those of its tasks' schedules in jobs.yaml, from ``begin`` on."""
    chance = Random(seed)  # noqa: S311 (chance needs no secrets)
    workload = Workload(begin.timestamp(), stanza.length.total_seconds(), facts=fleet)
    roots = workload.roots
    for name, one in stanza.tasks.items():
        roots += [_job(stanza, name, sent, chance) for sent in _moments(one, workload.end, chance)]
        task = config.task(name)
        for cron in task.schedules.values() if task else ():
            for tick in ticks_of(cron, workload) if not cron.paused else ():
                late = chance.random() * cron.jitter.total_seconds()
                roots.append(_job(stanza, name, tick + late, chance, tick=True))
    roots.sort(key=lambda job: job.sent)
    return workload


def _job(stanza: LoadStanza, name: str, sent: float, chance: Random, *, tick: bool = False) -> Job:
    """Make a job and the jobs that it sends."""
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
        for _ in range(whole(count, chance)):
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
    median, p95 = (math.log(length.total_seconds()) for length in (takes.median, takes.p95) if length)
    return chance.lognormvariate(median, (p95 - median) / _P95)


def _moments(one: SentStanza, end: float, chance: Random) -> Iterator[float]:
    """Yield random moments with a given average number in each hour (a Poisson process)."""
    rate, hourly, at = one.rate, one.hourly or [], 0.0
    if rate is not None:
        hourly = [rate.count / rate.period.total_seconds() * _HOUR]
    while hourly and at < end:
        expected = hourly[int(at / _HOUR) % len(hourly)] / _HOUR
        # A Poisson process has no memory, so it is correct to draw a new random interval at the start of the next hour.
        step, left = chance.expovariate(expected) if expected else _HOUR, _HOUR - at % _HOUR
        at += min(step, left)
        if step < left and at < end:
            yield at
