"""The doctor's checks of the jobs: known tasks, limits that keep up, and waits within max_wait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.units import amount_text
from zeke_jobs.core.wording import MOST, listed, since, span, up_to_most
from zeke_jobs.diagnosis import reasons
from zeke_jobs.diagnosis.facts import PauseRow
from zeke_jobs.diagnosis.findings import Check, Finding, Patient, Severity
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import pauses

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEWEST = 100_000  # jobs in which arrivals are counted; some 0.1 s
_SAMPLE = 500  # completed jobs of a task from which its duration is computed
_SPARE = 1.2  # the advised value, relative to the need


def _catalogue(patient: Patient) -> Iterator[Finding]:
    if not SQL.value(patient.conn, "revision/number"):
        yield Finding(
            "no-revision",
            Severity.WARNING,
            "",
            "no jobs.yaml was ever in force: nothing can be sent, nothing is scheduled",
            "start a worker (dramatiq zeke_jobs.actors), or: zeke-jobs apply",
        )


def _unknown_tasks(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/unknown", most=MOST + 1):
        yield Finding(
            "unknown-task",
            Severity.WARNING,
            row["task"],
            f"{up_to_most(row['queued'], 'queued job')} of {row['task']} (queue {row['queue']}), which is no task in force",
            f"name its successor: zeke-jobs apply --rename {row['task']}=NEW, or put it back into jobs.yaml",
            {"queue": row["queue"], "queued": row["queued"]},
        )


def _max_wait(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "schedule/late"):
        yield Finding(
            "max-wait",
            Severity.WARNING,
            row["task"],
            f"the oldest due job of {row['task']} waits {span(row['wait'])}; its max_wait is {span(row['max_wait'])}",
            "zeke-jobs top: enter on the task shows its waiting jobs in order, enter on a job why it waits",
            {"wait": round(row["wait"].total_seconds(), 1), "max_wait": row["max_wait"].total_seconds()},
        )


@dataclass(frozen=True, slots=True)
class _Load:
    """Tasks that share a limit: arrivals a second, and the average number of jobs that must run at once to keep up."""

    tasks: tuple[str, ...]
    arrivals: float
    need: float
    waits: float


def _keeping_up(patient: Patient) -> Iterator[Finding]:
    limits = patient.thresholds
    rows = [
        row
        for row in SQL.all(
            patient.conn,
            "doctor/load",
            window=limits.window.total_seconds(),
            shortest=limits.shortest.total_seconds(),
            most=_NEWEST,
            sample=_SAMPLE,
        )
        if row["arrived"] >= limits.least and not row["paused"]
    ]
    for bound in SQL.all(patient.conn, "doctor/room"):
        under = [row for row in rows if bound["name"] in row["limits"] or bound["name"] == f"queue/{row['queue']}"]
        if not under:
            continue
        load = _sum(under, limits.least)
        if load.waits < limits.backlog_wait.total_seconds():
            continue
        if bound["concurrency"] is not None and load.need > bound["concurrency"]:
            yield _too_low(bound, load)
        if bound["rate_count"] is not None and load.arrivals > bound["rate_count"] / bound["rate_seconds"]:
            yield _too_slow(bound, load)
        for unit, allowed in (bound["units"] or {}).items():
            used = sum(row["arrived"] / row["seconds"] * row["units"].get(unit, 0) for row in under)
            if used > allowed:
                yield _too_little(bound, load, unit, used=used * 60, allowed=allowed * 60)


def _sum(rows: list[dict[str, Any]], least: int) -> _Load:
    rates = [(row, row["arrived"] / row["seconds"]) for row in rows]
    need = sum(rate * row["mean"] for row, rate in rates if row["sample"] >= least)
    waits = max(row["waits"] or 0.0 for row in rows)
    return _Load(tuple(row["task"] for row in rows), sum(rate for _, rate in rates), need, waits)


def _too_low(bound: dict[str, Any], load: _Load) -> Finding:
    advised = math.ceil(load.need * _SPARE)
    is_queue = bound["name"].startswith("queue/")
    has = (
        f"the workers of {bound['name']} have {bound['concurrency']} threads"
        if is_queue
        else f"{bound['name']} allows {bound['concurrency']}"
    )
    return _behind(
        bound,
        load,
        f", which takes {load.need:,.1f} at once on average; {has}",
        f"run at least {advised} threads for it" if is_queue else _raise(bound["name"], advised),
        limit=bound["concurrency"],
        need=round(load.need, 2),
        arrivals_per_minute=round(load.arrivals * 60, 2),
    )


def _too_slow(bound: dict[str, Any], load: _Load) -> Finding:
    allowed = bound["rate_count"] / bound["rate_seconds"] * 60
    said, help_ = (
        f"; the rate of {bound['name']} allows {allowed:,.1f}",
        f"raise the rate of {bound['name']}, or send less",
    )
    figures = {"allowed_per_minute": round(allowed, 2), "arrivals_per_minute": round(load.arrivals * 60, 2)}
    return _behind(bound, load, said, help_, **figures)


def _too_little(bound: dict[str, Any], load: _Load, unit: str, *, used: float, allowed: float) -> Finding:
    said = f", which use {used:,.0f} {unit} a minute; {bound['name']} allows {allowed:,.0f}"
    figures = {"unit": unit, "allowed_per_minute": round(allowed, 2), "used_per_minute": round(used, 2)}
    return _behind(bound, load, said, f"raise the {unit} of {bound['name']}, or send less", **figures)


def _behind(bound: dict[str, Any], load: _Load, said: str, help_: str, **figures: Any) -> Finding:
    arriving = f"{load.arrivals * 60:,.1f} jobs a minute of {listed(load.tasks)} arrive"
    sentence = f"{arriving}{said}; the oldest waits {span(timedelta(seconds=load.waits))}"
    return Finding("falling-behind", Severity.WARNING, bound["name"], sentence, help_, figures)


def _raise(limit: str, advised: int) -> str:
    kind, _, name = limit.partition("/")
    target = f"{name}.concurrency" if kind == "task" else f"limits.{name}.concurrency"
    return f"zeke-jobs set {target}={advised} -m 'keeps up with arrivals', or send less"


def _skipped(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/skipped"):
        job, ticks = str(row["job"]), up_to_most(row["skipped"], "tick")
        queued = f"its job {job[-8:]} is queued {since(row['queued_on'], row['now'])}"
        yield Finding(
            "skipped-ticks",
            Severity.WARNING,
            row["task"],
            f"the schedule of {row['task']} has skipped {ticks}, because {queued}",
            f"zeke-jobs why {job} shows why it waits",
            {"skipped": row["skipped"], "job": job, "queued_on": row["queued_on"].isoformat()},
        )


def _closed(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/closed"):
        how = "is throttled by its provider" if row["closed_by"] == "throttled" else "is paused by its breaker"
        opens = "and one job at a time probes" if row["probes"] else f"until {row['closed_until']:%H:%M:%S} at least"
        yield Finding(
            "limit-closed",
            Severity.WARNING,
            row["name"],
            f"{row['name']} {how} ({row['closed_why']}), {opens}; its jobs wait",
            "look at the service that these jobs use; the jobs go on by themselves",
            {"by": row["closed_by"], "until": row["closed_until"].isoformat(), "why": row["closed_why"]},
        )
    for row in SQL.all(patient.conn, "doctor/spent"):
        spent = f"{amount_text(row['used'])} of {amount_text(row['amount'])} {row['unit']}"
        yield Finding(
            "budget-spent",
            Severity.NOTICE,
            row["name"],
            f"{row['name']} has spent its budget of the day, {spent}; its jobs wait",
            f"raise the budget of {row['name']}, or let them wait",
            {"used": float(row["used"]), "amount": float(row["amount"]), "unit": row["unit"]},
        )


def _pauses(patient: Patient) -> Iterator[Finding]:
    now = SQL.value(patient.conn, "schedule/clock")
    for row in pauses.in_force(patient.conn, "pause/list", most=MOST + 1):
        waiting = row.pop("waiting")
        why = reasons.paused(PauseRow(**row), now)
        began, ends = (moment and moment.isoformat() for moment in (row["paused_on"], row["ends_on"]))
        yield Finding(
            "paused",
            Severity.NOTICE,
            row["target"],
            f"{why.sentence}; {up_to_most(waiting, 'queued job')} {'waits' if waiting == 1 else 'wait'}",
            why.help,
            {"by": row["paused_by"], "since": began, "until": ends, "waiting": waiting},
        )


CHECKS = (
    Check("no-revision", "a revision of jobs.yaml is in force", _catalogue),
    Check("unknown-task", "each queued job has a task in force", _unknown_tasks),
    Check("falling-behind", "limits and threads keep up with the jobs that arrive", _keeping_up),
    Check("limit-closed", "no limit is throttled, paused by its breaker, or out of money", _closed),
    Check("paused", "nothing is paused", _pauses),
    Check("skipped-ticks", "no schedule skips ticks because one job stays queued", _skipped),
    Check("max-wait", "no task's oldest due job waits longer than its max_wait", _max_wait),
)
