"""Reasons why a limit holds a job back: what zeke_jobs.room tells the claim, in a sentence with its figures."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.units import amount_text
from zeke_jobs.core.wording import place, since, span, until
from zeke_jobs.diagnosis.reasons import Reason, reason

if TYPE_CHECKING:
    from datetime import datetime

    from zeke_jobs.diagnosis.facts import Holder, JobRow, KeyRate, LimitRow


def of(limit: LimitRow, now: datetime) -> Reason:
    """The reason that the claim is told."""
    return _REASONS[limit.reason](limit, now)


def key_at_rate(rate: KeyRate, job: JobRow) -> Reason:
    """The rate of the job's key is used up."""
    full = f"its key {job.key!r} is at its rate of {rate.amount} starts within {span(rate.period)}"
    figures = {"limit": rate.name, "key": job.key, "count": rate.amount, "period": rate.period, "until": rate.next_at}
    return reason(
        "key-at-rate",
        f"{full}; the next may start {_at(rate.next_at, job.now)}",
        **figures,
        now=job.now,
    )


def key_taken(job: JobRow, per_key: int, holders: tuple[Holder, ...]) -> Reason:
    """The limit of the job's key is full."""
    active = len(holders)
    sentence = f"its key {job.key!r} is taken, {active} of {per_key} active: {_named(holders, active, job.now)}"
    return reason("key-taken", sentence, key=job.key, per_key=per_key, holders=holders, now=job.now)


def _at_limit(limit: LimitRow, now: datetime) -> Reason:
    full = f"is at its limit, {limit.active} of {limit.concurrency} active: {_named(limit.holders, limit.active, now)}"
    return _of(
        "at-limit", limit, full, concurrency=limit.concurrency, active=limit.active, holders=limit.holders, now=now
    )


def _at_rate(limit: LimitRow, now: datetime) -> Reason:
    assert limit.rate_period is not None
    full = f"is at its rate of {limit.rate_count} starts within {span(limit.rate_period)}"
    figures = {"count": limit.rate_count, "period": limit.rate_period, "until": limit.opens_on, "now": now}
    return _of("at-rate", limit, f"{full}; the next may start {_at(limit.opens_on, now)}", **figures)


def _used_up(limit: LimitRow, now: datetime) -> Reason:
    unit: dict[str, Any] = limit.unit or {}
    used = f"has used up its {unit['unit']}, {amount_text(unit['used'])} of {amount_text(unit['amount'])}"
    figures = {name: unit[name] for name in ("unit", "used", "amount")} | {"until": limit.opens_on, "now": now}
    if limit.reason == "budget":
        return _of("budget-spent", limit, f"{used} today; it begins anew at midnight in {unit['zone']}", **figures)
    period = span(timedelta(seconds=float(unit["seconds"])))
    return _of("units-used", limit, f"{used} within {period}; the next may start {_at(limit.opens_on, now)}", **figures)


def _throttled(limit: LimitRow, now: datetime) -> Reason:
    opens = f"is throttled by its provider ({limit.closed_why}); it opens {_at(limit.opens_on, now)}"
    return _of("throttled", limit, opens, until=limit.closed_until, why=limit.closed_why, now=now)


def _breaker_open(limit: LimitRow, now: datetime) -> Reason:
    opens = "one job at a time probes" if limit.opens_on is None else f"it opens {_at(limit.opens_on, now)}"
    figures = {"until": limit.closed_until, "why": limit.closed_why, "probe": limit.probe, "now": now}
    return _of("breaker-open", limit, f"is paused by its breaker ({limit.closed_why}); {opens}", **figures)


def _of(kind: str, limit: LimitRow, what: str, **figures: Any) -> Reason:
    of, _, name = limit.name.partition("/")
    whose = f"its task {name}" if of == "task" else f"the shared limit {name}"
    return reason(kind, f"{whose} {what}", limit=limit.name, **figures)


def _at(moment: datetime | None, now: datetime) -> str:
    return "soon" if moment is None else until(moment, now).removeprefix("until ")


def _named(holders: tuple[Holder, ...], active: int, now: datetime) -> str:
    named = [f"{one.task} {one.id} on {place(one.host, one.pid)} {since(one.since, now)}" for one in holders]
    if active > len(named):
        named.append(f"{active - len(named)} more")
    return "; ".join(named)


_REASONS = {
    "concurrency": _at_limit,
    "rate": _at_rate,
    "units": _used_up,
    "budget": _used_up,
    "throttled": _throttled,
    "breaker": _breaker_open,
}
