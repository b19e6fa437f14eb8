"""Puts into words why a queued job does not run yet, and what ``zeke-jobs doctor`` finds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.wording import amount_text, one_line, place, since, span, until
from zeke_jobs.postgres.queries import Row

_NAMED = 5  # maximum number of processes to name
QUARANTINE = 3  # deaths of a job's workers after which zeke_jobs.rescue() fails the job


@dataclass(frozen=True, slots=True)
class Reason:
    """Describes one fact about a job that explains the job's state."""

    kind: str  # the name of the fact, for programs
    sentence: str  # the fact as a sentence, with the figures
    help: str = ""  # the remedy; may be empty
    traceback: tuple[str, ...] = ()  # the lines of a failed attempt's traceback


def told(reasons: Sequence[Reason], history: Sequence[Reason] = ()) -> Iterator[tuple[int, str, str]]:
    """Yield the lines of a job's explanation, each with its indent and style. Equal tracebacks are shown once."""
    known: dict[tuple[str, ...], Reason] = {}
    for one in (*reasons, *history):
        yield 2, "" if one in reasons else "dim", one.sentence
        if one.help:
            yield 6, "green", one.help
        first = known.setdefault(one.traceback, one)
        attempt = " ".join(first.sentence.split()[:2]).rstrip(":")
        lines = one.traceback if first is one or not one.traceback else (f"the same traceback as {attempt}",)
        yield from ((6, "red", line) for line in lines)


def error_of(error: dict[str, Any] | None) -> str:
    """Return the type and message of an error on one line."""
    return one_line(": ".join(str(error[part]) for part in ("type", "message") if error and error.get(part)))


def paused(pause: Row, now: datetime) -> Reason:
    """Return a ``Reason`` that says who paused the job's task, queue or limit, since when, until when and why."""
    began = f" {since(pause.paused_on, now)}" if pause.paused_on else ""
    ends = f", {until(pause.ends_on, now)}" if pause.ends_on else ""
    why = f": {one_line(pause.reason)}" if pause.reason else ""
    if pause.set_key:
        help_ = f"zeke-jobs set --clear {pause.set_key}"
    elif pause.paused_by == "jobs.yaml":
        help_ = "take paused: true out of jobs.yaml and apply it"
    else:
        help_ = f"zeke-jobs resume {pause.target}"
    return Reason("paused", f"{pause.target} is paused by {pause.paused_by}{began}{ends}{why}", help_)


def named_keepers(keepers: Sequence[Row], now: datetime) -> str:
    """Return a text about processes that are reserved for one job each: their jobs, and why these must run alone."""
    return first_of([_keeper(keeper, now) for keeper in keepers[:_NAMED]], len(keepers))


def advice_about(keepers: Sequence[Row]) -> str:
    """Return a text that says what to do when processes are reserved for a job that must run alone."""
    jobs = list(dict.fromkeys(str(keeper.job) for keeper in keepers))
    ended = "it has ended" if len(jobs) == 1 else "one of them has ended"
    return (
        f"wait until {ended}, or: zeke-jobs cancel {' '.join(jobs[:_NAMED])}; "
        "with more processes, one at least goes on with the rest: dramatiq zeke_jobs.actors --processes N"
    )


def _keeper(keeper: Row, now: datetime) -> str:
    where, job = place(keeper.host, keeper.pid), f"{keeper.task} {keeper.job}"
    began, died = since(keeper.since, now), f"because {keeper.deaths} workers died while running it"
    if keeper.runs:
        return f"{where} runs {job} alone {began}, {died}"
    return f"{where} finishes its other jobs to run {job} alone, which has been ready {began}, {died}"


def of_limit(limit: Row, now: datetime) -> Reason:
    """Return a ``Reason`` that says why a limit of the job's task allows no start now."""
    kind, _, name = limit.name.partition("/")
    whose, then = f"its task {name}" if kind == "task" else f"the shared limit {name}", opens(limit.opens_on, now)
    match limit.reason:
        case "concurrency":
            holders = [Row(**{**one, "since": datetime.fromisoformat(one["since"])}) for one in limit.holders or ()]
            full = f"is at its limit, {limit.active} of {limit.concurrency} active"
            return Reason("at-limit", f"{whose} {full}: {named_jobs(holders, limit.active, now)}")
        case "rate":
            full = f"is at its rate of {limit.rate_count} starts within {span(limit.rate_period)}"
            return Reason("at-rate", f"{whose} {full}; the next may start {then}")
        case "throttled":
            return Reason("throttled", f"{whose} is throttled by its provider ({limit.closed_why}); it opens {then}")
        case "breaker":
            probes = "one job at a time probes" if limit.opens_on is None else f"it opens {then}"
            return Reason("breaker-open", f"{whose} is paused by its breaker ({limit.closed_why}); {probes}")
    unit = limit.unit
    used = f"{whose} has used up its {unit['unit']}, {amount_text(unit['used'])} of {amount_text(unit['amount'])}"
    if limit.reason == "budget":
        return Reason("budget-spent", f"{used} today; it begins anew at midnight in {unit['zone']}")
    period = span(timedelta(seconds=float(unit["seconds"])))
    return Reason("units-used", f"{used} within {period}; the next may start {then}")


def opens(moment: datetime | None, now: datetime) -> str:
    """Return in words when a limit lets the next job start."""
    return "soon" if moment is None else until(moment, now).removeprefix("until ")


def named_jobs(holders: Sequence[Row], active: int, now: datetime) -> str:
    """Return a text that names the first of the active jobs that use up a limit, and counts the others."""
    named = (f"{one.task} {one.id} on {place(one.host, one.pid)} {since(one.since, now)}" for one in holders)
    return first_of(list(named), active)


def first_of(named: Sequence[str], number: int) -> str:
    """Return the names as one text. ``number`` is the total: if it is larger, the text says how many more there are."""
    return "; ".join([*named, f"{number - len(named)} more"] if number > len(named) else named)


class Severity(StrEnum):
    """Says how severe a finding of ``zeke-jobs doctor`` is."""

    CRITICAL = "critical"  # jobs do not run, or will soon not run
    WARNING = "warning"  # the fault will get worse, or a promise is broken
    NOTICE = "notice"  # the fault may be intended


@dataclass(frozen=True, slots=True)
class Finding:
    """Describes one fault. ``doctor.look`` sets ``id``, and ``severity`` if empty, from the check that found it."""

    subject: str  # the affected object, such as a task; empty for the whole system
    sentence: str  # the fault with its figures
    help: str
    severity: str = ""
    id: str = ""  # the kind of the fault, for programs


@dataclass(frozen=True, slots=True)
class Check:
    """Describes one check of ``zeke-jobs doctor``."""

    name: str  # the id of the check's findings
    severity: Severity
    fine: str  # the sentence to print when the check finds nothing
    faults: Callable[[Connection], Iterator[Finding]]  # examines a database, in a snapshot
