"""Reasons why a limit or a key holds a job back: what zeke_jobs.room tells the claim, in a sentence with its figures."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from zeke_jobs.core.wording import amount_text, place, since, span, until
from zeke_jobs.diagnosis.reasons import Reason
from zeke_jobs.postgres.queries import Row


def of(limit: Row, now: datetime) -> Reason:
    """The reason that the claim is told."""
    kind, _, name = limit.name.partition("/")
    whose, opens = f"its task {name}" if kind == "task" else f"the shared limit {name}", _at(limit.opens_on, now)
    match limit.reason:
        case "concurrency":
            full = f"is at its limit, {limit.active} of {limit.concurrency} active"
            return Reason("at-limit", f"{whose} {full}: {_named(limit.holders or (), limit.active, now)}")
        case "rate":
            full = f"is at its rate of {limit.rate_count} starts within {span(limit.rate_period)}"
            return Reason("at-rate", f"{whose} {full}; the next may start {opens}")
        case "throttled":
            return Reason("throttled", f"{whose} is throttled by its provider ({limit.closed_why}); it opens {opens}")
        case "breaker":
            then = "one job at a time probes" if limit.opens_on is None else f"it opens {opens}"
            return Reason("breaker-open", f"{whose} is paused by its breaker ({limit.closed_why}); {then}")
    unit = limit.unit
    used = f"{whose} has used up its {unit['unit']}, {amount_text(unit['used'])} of {amount_text(unit['amount'])}"
    if limit.reason == "budget":
        return Reason("budget-spent", f"{used} today; it begins anew at midnight in {unit['zone']}")
    period = span(timedelta(seconds=float(unit["seconds"])))
    return Reason("units-used", f"{used} within {period}; the next may start {opens}")


def key_at_rate(rate: Row, job: Row) -> Reason:
    """The rate of the job's key is used up."""
    full = f"its key {job.key!r} is at its rate of {rate.amount} starts within {span(rate.period)}"
    return Reason("key-at-rate", f"{full}; the next may start {_at(rate.next_at, job.now)}")


def key_taken(job: Row, per_key: int, holders: Sequence[dict[str, Any]]) -> Reason:
    """The limit of the job's key is full."""
    taken = f"is taken, {len(holders)} of {per_key} active: {_named(holders, len(holders), job.now)}"
    return Reason("key-taken", f"its key {job.key!r} {taken}")


def _at(moment: datetime | None, now: datetime) -> str:
    return "soon" if moment is None else until(moment, now).removeprefix("until ")


def _named(holders: Sequence[dict[str, Any]], active: int, now: datetime) -> str:
    named = []
    for one in holders:
        began = one["since"]
        began = datetime.fromisoformat(began) if isinstance(began, str) else began
        named.append(f"{one['task']} {one['id']} on {place(one['host'], one['pid'])} {since(began, now)}")
    if active > len(named):
        named.append(f"{active - len(named)} more")
    return "; ".join(named)
