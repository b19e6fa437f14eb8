"""Puts a configuration in force: checks, says what it would do, writes revision, limits, tasks and jobs in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg2.errors import DeadlockDetected

from zeke_jobs import catalogue_rows, planning, revisions
from zeke_jobs import overrides as by_hand
from zeke_jobs.config import load_text
from zeke_jobs.config.diagnostics import Report, split_lines
from zeke_jobs.config.document import parse
from zeke_jobs.config.editing import edited
from zeke_jobs.errors import ConfigurationError, StrandedJobs
from zeke_jobs.plan_jobs import Orders, touched
from zeke_jobs.planning import Change, Plan
from zeke_jobs.postgres import transaction
from zeke_jobs.queries import SQL
from zeke_jobs.revisions import Override, Revision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config
    from zeke_jobs.planning import Touched

_TRIES = 3
ITSELF = "zeke-jobs"  # who takes an override back whose time is over


@dataclass(frozen=True)
class Applied:
    """What is in force now. ``is_new`` is False where nothing was to be changed."""

    revision: int
    config: Config
    plan: Plan
    is_new: bool


@dataclass(frozen=True)
class _Proposal:
    latest: Revision | None
    before: Config | None
    config: Config
    overrides: tuple[Override, ...]
    plan: Plan


def plan(
    conn: Connection,
    file: Config,
    *,
    orders: Orders | None = None,
    overrides: Sequence[Override] | None = None,
    by: str = "",
) -> Plan:
    """What ``apply`` would do, without doing it.

    Raises:
        ConfigurationError: what is set by hand does not fit the file.
    """
    return _propose(conn, file, orders or Orders(), overrides, by, "").plan


def apply(
    conn: Connection,
    file: Config,
    *,
    by: str,
    message: str,
    origin: str = "apply",
    orders: Orders | None = None,
    overrides: Sequence[Override] | None = None,
) -> Applied:
    """Put a configuration in force.

    Args:
        conn: An autocommit connection.
        file: A configuration that was checked against this process's code, as its text alone says.
        by: Who does it.
        message: Why.
        origin: ``apply``, ``rollback``, ``set`` or ``revert``.
        orders: What becomes of unfinished jobs of tasks that the file lacks.
        overrides: What is to be set beside the file; by default what is set now.

    Raises:
        ConfigurationError: what is set by hand does not fit the file, or an order names no such task.
        StrandedJobs: a removed task has unfinished jobs, and no order says what becomes of them.
    """
    said: dict[str, Any] = {"by": by, "message": message, "origin": origin, "orders": orders, "overrides": overrides}
    for left in reversed(range(_TRIES)):
        try:
            with transaction(conn):
                SQL.run(conn, "catalogue_lock")
                return put_in_force(conn, file, **said)
        except DeadlockDetected:  # with a worker that finishes jobs and claims others in one transaction
            if not left:
                raise
    raise AssertionError("unreachable")


def put_in_force(
    conn: Connection,
    file: Config,
    *,
    by: str,
    message: str,
    origin: str,
    orders: Orders | None = None,
    overrides: Sequence[Override] | None = None,
) -> Applied:
    """What ``apply`` does, in a transaction of the caller's that holds the catalogue's lock."""
    orders = orders or Orders()
    proposal = _propose(conn, file, orders, overrides, by, message)
    if proposal.latest is not None and not proposal.plan.is_pending:
        return Applied(proposal.latest.number, proposal.config, proposal.plan, is_new=False)
    if proposal.plan.stranded:
        raise StrandedJobs(_stranded(proposal.plan.stranded))
    config = proposal.config
    # Before the limits are held: a worker may hold one of these jobs while it waits for a limit.
    for name in sorted(orders.cancel):
        SQL.one(conn, "plan_cancel", task=name, reason="its task was removed from jobs.yaml")
    # The limits come before the revision: they hold back claims, and only then is the time of the revision taken.
    catalogue_rows.write_limits(conn, config)
    number = revisions.record(conn, config, proposal.overrides, by=by, message=message, origin=origin)
    draining = [override.path[1] for override in proposal.overrides if override.drains is not None]
    catalogue_rows.write_tasks(conn, config, number, draining=draining)
    _move_jobs(conn, proposal)
    return Applied(number, config, proposal.plan, is_new=True)


def revert_due(conn: Connection) -> Applied | None:
    """Take back overrides whose time is over. Any number of processes may ask at once: one of them does it.

    Raises:
        ConfigurationError: what would then be in force does not fit this process's code; another one may do it.
    """
    if SQL.one(conn, "override_due") is None:
        return None
    with transaction(conn):
        SQL.run(conn, "catalogue_lock")
        latest = revisions.latest(conn)
        ended = [] if latest is None else by_hand.over(conn, latest.overrides)
        if latest is None or not ended:
            return None
        kept = [one for one in latest.overrides if one not in ended]
        file = load_text(latest.source, f"revision {latest.number}")
        said = "; ".join(_ended(one) for one in ended)
        return put_in_force(conn, file, by=ITSELF, message=said, origin="revert", overrides=kept)


def _ended(override: Override) -> str:
    if override.drains is not None:
        return f"{override.path[1]} has drained"
    return f"{override.label} was set until now" + (f" ({override.why})" if override.why else "")


def _propose(
    conn: Connection, file: Config, orders: Orders, overrides: Sequence[Override] | None, by: str, message: str
) -> _Proposal:
    latest = revisions.latest(conn)
    in_force = latest.overrides if latest else ()
    before = _readable(latest)
    carried = by_hand.carried(file, in_force if overrides is None else overrides)
    now = _clock(conn)
    kept = (*carried.kept, *_ordered(file, latest, before, orders, by, message, now))
    after = file
    if kept:
        after = load_text(file.text, "jobs.yaml with what is set by hand", edits=[one.edit for one in kept])
    return _Proposal(
        latest,
        before,
        after,
        kept,
        Plan(
            revision=latest.number if latest else 0,
            file_revision=revisions.number_of(conn, file.digest),
            text_differs=latest is None or latest.digest != file.digest,
            changes=planning.changes(before, after),
            fires=planning.fires(before, after, now),
            touched=touched(conn, before, after, orders),
            restarts=planning.restarts(before, after),
            overrides=kept,
            overridden=planning.changes(file, after),
            notes=(*carried.notes, *_settings_notes(in_force, kept)),
        ),
    )


def _readable(latest: Revision | None) -> Config | None:
    """What is in force; None where a later version of this code no longer reads it."""
    try:
        return latest.config(handlers=False) if latest else None
    except ConfigurationError:
        return None


def _settings_notes(before: Sequence[Override], after: Sequence[Override]) -> list[str]:
    """What overrides do that no value shows: tasks begin to drain, a reason or a time is another."""
    known = {one.path: one for one in before}
    drained = [one.path[1] for one in after if one.drains is not None and one.path not in known]
    return [f"{name} drains: it takes no new jobs, and leaves when those it has have ended" for name in drained] + [
        f"{one.label} is set by hand anew"
        for one in after
        if one.path in known and replace(one, set_on=known[one.path].set_on) != known[one.path]
    ]


def _ordered(
    file: Config,
    latest: Revision | None,
    before: Config | None,
    orders: Orders,
    by: str,
    message: str,
    now: datetime,
) -> list[Override]:
    """What the orders set beside the file: tasks that drain, and former names that the file does not say."""
    made = []
    for name in sorted(orders.drain | orders.cancel | set(orders.rename)):
        if file.task(name) is not None and name not in orders.rename:
            raise ConfigurationError(f"expected a task that the file lacks, got {name}, which it has")
    for name in sorted(orders.drain):
        if latest is None or before is None or name not in before.tasks:
            raise ConfigurationError(f"expected a task of the revision in force to drain, got {name!r}")
        made.append(Override(("tasks", name), _stanza(latest, name), by, message, now, drains=before.tasks[name].queue))
    for old, new in sorted(orders.rename.items()):
        if new not in file.tasks or old in file.tasks:
            raise ConfigurationError(
                f"expected --rename OLD=NEW with a task NEW that the file has and a task OLD that it lacks, got {old}={new}"
            )
        task = file.tasks[new]
        if old not in task.aliases:
            made.append(Override(("tasks", new, "aliases"), [*task.aliases, old], by, message, now))
    return made


def _stanza(latest: Revision, task: str) -> dict[str, Any]:
    """A task as the revision in force has it, without its schedule."""
    document = parse(latest.source, Report("revision", split_lines(latest.source)))
    value = edited(document.value, [one.edit for one in latest.overrides])
    stanza: dict[str, Any] = value["tasks"][task]
    return {key: inner for key, inner in stanza.items() if key != "cron"}


def _move_jobs(conn: Connection, proposal: _Proposal) -> None:
    catalogue_rows.gather(conn)
    before = proposal.before.tasks if proposal.before else {}
    for task in proposal.config.tasks.values():
        old = before.get(task.id)
        if old is not None and old.priority != task.priority:
            SQL.run(conn, "queue_follow", task=task.id, priority=task.priority, old_priority=old.priority)


def _stranded(found: Sequence[Touched]) -> str:
    lines = [f"{one.name}: {one.queued} queued and {one.active} active" for one in found]
    name = found[0].name
    return (
        f"expected no unfinished jobs of removed tasks, got {'; '.join(lines)}\n"
        f"  help: say what becomes of them: zeke-jobs apply --drain {name} (it runs until they have ended),"
        f" --cancel {name}, or --rename {name}=NEW"
    )


def _clock(conn: Connection) -> datetime:
    row = SQL.one(conn, "schedule_clock")
    assert row is not None
    now: datetime = row["now"]
    return now


__all__ = ["Applied", "Change", "Orders", "apply", "plan", "put_in_force", "revert_due"]
