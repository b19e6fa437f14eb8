"""Reasons why a limit or a key holds a job back: what zeke_jobs.room tells the claim, in a sentence with its figures."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from zeke_jobs.core.wording import amount_text, place, since, span, until
from zeke_jobs.diagnosis.reasons import Reason, reason
from zeke_jobs.postgres.queries import Row


def of(limit: Row, now: datetime) -> Reason:
    """The reason that the claim is told."""
    kind, _, name = limit.name.partition("/")
    whose = f"its task {name}" if kind == "task" else f"the shared limit {name}"
    opens, figures = _at(limit.opens_on, now), {"limit": limit.name, "now": now}
    match limit.reason:
        case "concurrency":
            figures |= {"concurrency": limit.concurrency, "active": limit.active, "holders": limit.holders}
            full = f"is at its limit, {limit.active} of {limit.concurrency} active"
            return reason("at-limit", f"{whose} {full}: {_named(limit.holders or (), limit.active, now)}", **figures)
        case "rate":
            figures |= {"count": limit.rate_count, "period": limit.rate_period, "until": limit.opens_on}
            full = f"is at its rate of {limit.rate_count} starts within {span(limit.rate_period)}"
            return reason("at-rate", f"{whose} {full}; the next may start {opens}", **figures)
        case "throttled":
            figures |= {"until": limit.closed_until, "why": limit.closed_why}
            closed = f"is throttled by its provider ({limit.closed_why}); it opens {opens}"
            return reason("throttled", f"{whose} {closed}", **figures)
        case "breaker":
            figures |= {"until": limit.closed_until, "why": limit.closed_why, "probe": limit.probe}
            then = "one job at a time probes" if limit.opens_on is None else f"it opens {opens}"
            return reason("breaker-open", f"{whose} is paused by its breaker ({limit.closed_why}); {then}", **figures)
    unit = limit.unit
    figures |= {name: unit[name] for name in ("unit", "used", "amount")} | {"until": limit.opens_on}
    used = f"{whose} has used up its {unit['unit']}, {amount_text(unit['used'])} of {amount_text(unit['amount'])}"
    if limit.reason == "budget":
        return reason("budget-spent", f"{used} today; it begins anew at midnight in {unit['zone']}", **figures)
    period = span(timedelta(seconds=float(unit["seconds"])))
    return reason("units-used", f"{used} within {period}; the next may start {opens}", **figures)


def key_at_rate(rate: Row, job: Row) -> Reason:
    """The rate of the job's key is used up."""
    full = f"its key {job.key!r} is at its rate of {rate.amount} starts within {span(rate.period)}"
    figures = {"limit": rate.name, "key": job.key, "count": rate.amount, "period": rate.period, "until": rate.next_at}
    return reason("key-at-rate", f"{full}; the next may start {_at(rate.next_at, job.now)}", **figures, now=job.now)


def key_taken(job: Row, per_key: int, holders: Sequence[dict[str, Any]]) -> Reason:
    """The limit of the job's key is full."""
    active = len(holders)
    sentence = f"its key {job.key!r} is taken, {active} of {per_key} active: {_named(holders, active, job.now)}"
    return reason("key-taken", sentence, key=job.key, per_key=per_key, holders=holders, now=job.now)


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
