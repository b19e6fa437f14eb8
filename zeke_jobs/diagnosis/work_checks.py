"""The doctor's checks of the jobs: known tasks, limits that keep up, and waits within max_wait."""

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from zeke_jobs.core.wording import MOST, amount_text, listed, since, span, up_to_most
from zeke_jobs.diagnosis import reasons
from zeke_jobs.diagnosis.reasons import Check, Finding, Patient, Severity
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import store

#: Arrivals are counted within a time, in at most the newest jobs (some 0.1 s), and as those of a shortest time at least.
_ARRIVALS = {"window": 3600.0, "shortest": 300.0, "most": 100_000}
_SAMPLE = 500  # completed jobs of a task from which its duration is computed
_LEAST = 5  # arrivals, and completed jobs, from which a rate is computed
_BACKLOG_WAIT = 60.0  # seconds; while the oldest job waits for a shorter time, a limit counts as keeping up
_SPARE = 1.2  # the advised value, relative to the need


def _catalogue(patient: Patient) -> Iterator[Finding]:
    if not SQL.value(patient.conn, "revision/number"):
        sentence = "no jobs.yaml was ever in force: nothing can be sent, nothing is scheduled"
        yield Finding("", sentence, "start a worker (dramatiq zeke_jobs.actors), or: zeke-jobs apply")


def _unknown_tasks(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/unknown", most=MOST + 1):
        task, queue, queued = row["task"], row["queue"], row["queued"]
        yield Finding(
            task,
            f"{up_to_most(queued, 'queued job')} of {task} (queue {queue}), which is no task in force",
            f"name its successor: zeke-jobs apply --rename {task}=NEW, or put it back into jobs.yaml",
        )


def _max_wait(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "schedule/late"):
        yield Finding(
            row["task"],
            f"the oldest due job of {row['task']} waits {span(row['wait'])}; its max_wait is {span(row['max_wait'])}",
            "zeke-jobs top: enter on the task shows its waiting jobs in order, enter on a job why it waits",
        )


def _keeping_up(patient: Patient) -> Iterator[Finding]:
    """Compare the jobs that arrive under each limit with those that it lets through."""
    rows = SQL.all(patient.conn, "doctor/load", **_ARRIVALS, sample=_SAMPLE)
    rows = [
        {**row, "rate": row["arrived"] / row["seconds"]}
        for row in rows
        if row["arrived"] >= _LEAST and not row["paused"]
    ]
    for bound in SQL.all(patient.conn, "doctor/room"):
        under = [row for row in rows if bound["name"] in row["limits"] or bound["name"] == f"queue/{row['queue']}"]
        waits = max((row["waits"] or 0.0 for row in under), default=0.0)
        if waits < _BACKLOG_WAIT:
            continue
        arrive = f"{sum(row['rate'] for row in under) * 60:,.1f} jobs a minute of {listed(row['task'] for row in under)} arrive"
        for said, help_ in _short(bound, under):
            yield Finding(bound["name"], f"{arrive}{said}; the oldest waits {span(timedelta(seconds=waits))}", help_)


def _short(bound: dict[str, Any], under: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The parts of a limit that are too small for the tasks under it, each with its remedy."""
    name, slots = bound["name"], bound["concurrency"]
    arrivals = sum(row["rate"] for row in under)
    # The average number of jobs that must run at once.
    need = sum(row["rate"] * row["mean"] for row in under if row["sample"] >= _LEAST)
    if slots is not None and need > slots:
        kind, _, rest = name.partition("/")
        advised = math.ceil(need * _SPARE)
        if kind == "queue":
            has, help_ = f"the workers of {name} have {slots} threads", f"run at least {advised} threads for it"
        else:
            target = rest if kind == "task" else f"limits.{rest}"
            has = f"{name} allows {slots}"
            help_ = f"zeke-jobs set {target}.concurrency={advised} -m 'keeps up with arrivals', or send less"
        yield f", which takes {need:,.1f} at once on average; {has}", help_
    if bound["rate_count"] is not None and arrivals > (allowed := bound["rate_count"] / bound["rate_seconds"]):
        yield f"; the rate of {name} allows {allowed * 60:,.1f}", f"raise the rate of {name}, or send less"
    for unit, allowed in (bound["units"] or {}).items():
        used = sum(row["rate"] * row["units"].get(unit, 0) for row in under)
        if used > allowed:
            said = f", which use {used * 60:,.0f} {unit} a minute; {name} allows {allowed * 60:,.0f}"
            yield said, f"raise the {unit} of {name}, or send less"


def _skipped(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/skipped"):
        job, ticks = str(row["job"]), up_to_most(row["skipped"], "tick")
        queued = f"its job {job[-8:]} is queued {since(row['queued_on'], row['now'])}"
        yield Finding(
            row["task"],
            f"the schedule of {row['task']} has skipped {ticks}, because {queued}",
            f"zeke-jobs why {job} shows why it waits",
        )


def _closed(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/closed"):
        name, by, until, why = row["name"], row["closed_by"], row["closed_until"], row["closed_why"]
        how = "is throttled by its provider" if by == "throttled" else "is paused by its breaker"
        opens = "and one job at a time probes" if row["probes"] else f"until {until:%H:%M:%S} at least"
        sentence = f"{name} {how} ({why}), {opens}; its jobs wait"
        yield Finding(name, sentence, "look at the service that these jobs use; the jobs go on by themselves")


def _spent(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/spent"):
        name, used, amount, unit = row["name"], row["used"], row["amount"], row["unit"]
        sentence = f"{name} has spent its budget of the day, {amount_text(used)} of {amount_text(amount)} {unit}; its jobs wait"
        yield Finding(name, sentence, f"raise the budget of {name}, or let them wait")


def _pauses(patient: Patient) -> Iterator[Finding]:
    now = SQL.value(patient.conn, "schedule/clock")
    for row in store.pauses(patient.conn, "pause/list", most=MOST + 1):
        why, waiting = reasons.paused(row, now), row.waiting
        waits = f"{up_to_most(waiting, 'queued job')} {'waits' if waiting == 1 else 'wait'}"
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
