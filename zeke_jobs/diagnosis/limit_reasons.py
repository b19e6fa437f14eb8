"""Reasons why a limit holds a job back; each function makes one, with its sentence and its figures."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.units import amount_text
from zeke_jobs.core.wording import place, since, span, until
from zeke_jobs.diagnosis.reasons import Reason, reason

if TYPE_CHECKING:
    from zeke_jobs.diagnosis.facts import GateRow, Holder, JobRow


def at_limit(gate: GateRow, now: datetime) -> Reason:
    """The limit of the job's task, or a shared one, is full."""
    full = f"is at its limit, {gate.active} of {gate.concurrency} active: {_named(gate.holders, gate.active, now)}"
    return _of("at-limit", gate, full, limit=gate.concurrency, active=gate.active, holders=gate.holders, now=now)


def at_rate(gate: GateRow, now: datetime) -> Reason:
    """The rate of the job's task, or of a shared limit, is used up."""
    assert gate.rate_period is not None
    opens = f"; the next may start {_at(gate.free_on, now)}" if gate.free_on else ""
    full = f"is at its rate, {gate.used} of {gate.rate_count} starts within {span(gate.rate_period)}{opens}"
    figures = {"count": gate.rate_count, "period": gate.rate_period, "used": gate.used}
    return _of("at-rate", gate, full, **figures, until=gate.free_on, now=now)


def throttled(gate: GateRow, now: datetime) -> Reason:
    """The provider behind a limit asked for a pause."""
    return _closed("throttled", gate, now, "is throttled by its provider", _opens(gate, now))


def breaker_open(gate: GateRow, now: datetime) -> Reason:
    """Too many jobs under a limit failed."""
    probes = gate.closed_until is not None and gate.closed_until <= now
    opens = "one job at a time probes" if probes else _opens(gate, now)
    return _closed("breaker-open", gate, now, "is paused by its breaker", opens, probe=gate.probe)


def units_used(gate: GateRow, meter: dict[str, Any], now: datetime) -> Reason:
    """The amount of a unit that jobs may use in a period is used up."""
    frees = f"; the first of it is free again {_at(_free_on(meter), now)}" if meter["free_on"] else ""
    return _used_up("units-used", gate, meter, f"within {_window(meter)}", frees)


def budget_spent(gate: GateRow, meter: dict[str, Any]) -> Reason:
    """The money that jobs may cost a day is spent."""
    return _used_up("budget-spent", gate, meter, "today", f"; it begins anew at midnight in {meter['zone']}")


def key_at_rate(gate: GateRow, meter: dict[str, Any], job: JobRow) -> Reason:
    """The rate of the job's key is used up."""
    opens = f"; the next may start {_at(_free_on(meter), job.now)}" if meter["free_on"] else ""
    full = f"its key {job.key!r} is at its rate, {meter['used']} of {meter['amount']} starts within {_window(meter)}{opens}"
    figures = {name: meter[name] for name in ("amount", "used")}
    return reason("key-at-rate", full, gate=gate.name, key=job.key, **figures, until=_free_on(meter), now=job.now)


def key_taken(job: JobRow, per_key: int, holders: tuple[Holder, ...]) -> Reason:
    """The limit of the job's key is full."""
    active = len(holders)
    sentence = f"its key {job.key!r} is taken, {active} of {per_key} active: {_named(holders, active, job.now)}"
    return reason("key-taken", sentence, key=job.key, per_key=per_key, holders=holders, now=job.now)


def _of(kind: str, gate: GateRow, what: str, **figures: Any) -> Reason:
    of, _, name = gate.name.partition("/")
    whose = f"its task {name}" if of == "task" else f"the shared limit {name}"
    return reason(kind, f"{whose} {what}", gate=gate.name, **figures)


def _closed(kind: str, gate: GateRow, now: datetime, what: str, opens: str, **figures: Any) -> Reason:
    figures = {"until": gate.closed_until, "why": gate.closed_why, **figures, "now": now}
    return _of(kind, gate, f"{what} ({gate.closed_why}); {opens}", **figures)


def _used_up(kind: str, gate: GateRow, meter: dict[str, Any], when: str, opens: str) -> Reason:
    needs = f", and the job may need {amount_text(meter['estimate'])}" if meter["used"] < meter["amount"] else ""
    used = f"has used up its {meter['unit']}, {amount_text(meter['used'])} of {amount_text(meter['amount'])} {when}{needs}{opens}"
    return _of(kind, gate, used, **{name: meter[name] for name in ("unit", "used", "amount", "estimate")})


def _window(meter: dict[str, Any]) -> str:
    return span(timedelta(seconds=float(meter["seconds"])))


def _free_on(meter: dict[str, Any]) -> datetime | None:
    return datetime.fromisoformat(meter["free_on"]) if meter["free_on"] else None


def _opens(gate: GateRow, now: datetime) -> str:
    return f"it opens {_at(gate.closed_until, now)}"


def _at(moment: datetime | None, now: datetime) -> str:
    return "soon" if moment is None else until(moment, now).removeprefix("until ")


def _named(holders: tuple[Holder, ...], active: int, now: datetime) -> str:
    named = [f"{one.task} {one.id} on {place(one.host, one.pid)} {since(one.since, now)}" for one in holders]
    if active > len(named):
        named.append(f"{active - len(named)} more")
    return "; ".join(named)
