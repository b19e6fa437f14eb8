"""Finds faults for ``zeke-jobs doctor`` that concern jobs, such as jobs without a task and limits that are too low."""

import math
from collections.abc import Iterator
from datetime import timedelta

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.wording import MOST, amount_text, listed, since, span, up_to_most
from zeke_jobs.diagnosis import reasons
from zeke_jobs.diagnosis.reasons import Check, Finding, Severity
from zeke_jobs.postgres.queries import SQL, Row
from zeke_jobs.revisions import store

#: Count the jobs that arrived within the last ``window`` seconds, of at most the ``most`` newest jobs (about 0.1 s). If no
#: job is older, the time since the first arrival counts as at least ``shortest`` seconds.
_ARRIVALS = {"window": 3600.0, "shortest": 300.0, "most": 100_000}
_SAMPLE = 500  # completed jobs of a task from which its duration is computed
_LEAST = 5  # minimum number of arrivals, and of completed jobs, to compute a rate from
_BACKLOG_WAIT = 60.0  # seconds; while the oldest job has waited for less, a limit counts as keeping up
_SPARE = 1.2  # the advised value as a multiple of the need


def _catalogue(conn: Connection) -> Iterator[Finding]:
    if not SQL.value(conn, "revision/number"):
        sentence = "no jobs.yaml was ever in force: nothing can be sent, nothing is scheduled"
        yield Finding("", sentence, "start a worker (dramatiq zeke_jobs.actors), or: zeke-jobs apply")


def _unknown_tasks(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "doctor/unknown", most=MOST + 1):
        queued = f"{up_to_most(row.queued, 'queued job')} of {row.task} (queue {row.queue})"
        help_ = f"name its successor: zeke-jobs apply --rename {row.task}=NEW, or put it back into jobs.yaml"
        yield Finding(row.task, f"{queued}, which is not a task in force", help_)


def _max_wait(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "schedule/late"):
        sentence = f"the oldest due job of {row.task} waits {span(row.wait)}; its max_wait is {span(row.max_wait)}"
        help_ = "zeke-jobs top: enter on the task shows its waiting jobs in order, enter on a job why it waits"
        yield Finding(row.task, sentence, help_)


def _keeping_up(conn: Connection) -> Iterator[Finding]:
    """Compare the number of jobs that arrive under each limit with the number that the limit allows."""
    rows = SQL.named(conn, "doctor/load", **_ARRIVALS, sample=_SAMPLE)
    rows = [row for row in rows if row.arrived >= _LEAST and not row.paused]
    for bound in SQL.named(conn, "doctor/room"):
        under = [row for row in rows if bound.name in row.limits or bound.name == f"queue/{row.queue}"]
        waits = max((row.waits or 0.0 for row in under), default=0.0)
        if waits < _BACKLOG_WAIT:
            continue
        rates = [(row, row.arrived / row.seconds) for row in under]
        number = f"{sum(rate for _, rate in rates) * 60:,.1f}"
        arrive = f"{number} jobs a minute of {listed(row.task for row in under)} arrive"
        for said, help_ in _short(bound, rates):
            yield Finding(bound.name, f"{arrive}{said}; the oldest waits {span(timedelta(seconds=waits))}", help_)


def _short(bound: Row, under: list[tuple[Row, float]]) -> Iterator[tuple[str, str]]:
    """Yield the bounds of a limit (concurrency, rate, units) that are too small for the arriving jobs, each with a remedy."""
    name, slots = bound.name, bound.concurrency
    # On average, this number of jobs must run at once to keep up with the jobs that arrive.
    need = sum(rate * row.mean for row, rate in under if row.sample >= _LEAST)
    if slots is not None and need > slots:
        kind, _, rest = name.partition("/")
        advised = math.ceil(need * _SPARE)
        target = rest if kind == "task" else f"limits.{rest}"
        has = f"{name} allows {slots}"
        help_ = f"zeke-jobs set {target}.concurrency={advised} -m 'keeps up with arrivals', or send less"
        if kind == "queue":
            has, help_ = f"the workers of {name} have {slots} threads", f"run at least {advised} threads for it"
        yield f", which takes {need:,.1f} at once on average; {has}", help_
    if bound.rate_count is not None:
        allowed = bound.rate_count / bound.rate_seconds
        if sum(rate for _, rate in under) > allowed:
            yield f"; the rate of {name} allows {allowed * 60:,.1f}", f"raise the rate of {name}, or send less"
    for unit, allowed in (bound.units or {}).items():
        used = sum(rate * row.units.get(unit, 0) for row, rate in under)
        if used > allowed:
            said = f", which use {used * 60:,.0f} {unit} a minute; {name} allows {allowed * 60:,.0f}"
            yield said, f"raise the {unit} of {name}, or send less"


def _skipped(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "doctor/skipped"):
        queued = f"its job {str(row.job)[-8:]} is queued {since(row.queued_on, row.now)}"
        sentence = f"the schedule of {row.task} has skipped {up_to_most(row.skipped, 'tick')}, because {queued}"
        yield Finding(row.task, sentence, f"zeke-jobs why {row.job} shows why it waits")


def _closed(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "doctor/closed"):
        how = "is throttled by its provider" if row.closed_by == "throttled" else "is paused by its breaker"
        opens = "and one job at a time probes" if row.probes else f"until {row.closed_until:%H:%M:%S} at least"
        sentence = f"{row.name} {how} ({row.closed_why}), {opens}; its jobs wait"
        yield Finding(row.name, sentence, "check the service that these jobs use; the jobs go on automatically")


def _spent(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "doctor/spent"):
        spent = f"{amount_text(row.used)} of {amount_text(row.amount)} {row.unit}"
        sentence = f"{row.name} has spent its budget of the day, {spent}; its jobs wait"
        yield Finding(row.name, sentence, f"raise the budget of {row.name}, or let them wait")


def _pauses(conn: Connection) -> Iterator[Finding]:
    now = SQL.value(conn, "schedule/clock")
    for row in store.pauses(conn, "pause/list", most=MOST + 1):
        why = reasons.paused(row, now)
        waits = f"{up_to_most(row.waiting, 'queued job')} {'waits' if row.waiting == 1 else 'wait'}"
        yield Finding(row.target, f"{why.sentence}; {waits}", why.help)


CHECKS = (
    Check("no-revision", Severity.WARNING, "a revision of jobs.yaml is in force", _catalogue),
    Check("unknown-task", Severity.WARNING, "each queued job has a task in force", _unknown_tasks),
    Check("falling-behind", Severity.WARNING, "limits and threads keep up with the jobs that arrive", _keeping_up),
    Check("limit-closed", Severity.WARNING, "no limit is throttled or paused by its breaker", _closed),
    Check("budget-spent", Severity.NOTICE, "no budget is used up", _spent),
    Check("paused", Severity.NOTICE, "nothing is paused", _pauses),
    Check("skipped-ticks", Severity.WARNING, "no schedule skips ticks because one job stays queued", _skipped),
    Check("max-wait", Severity.WARNING, "no task's oldest due job waits longer than its max_wait", _max_wait),
)
