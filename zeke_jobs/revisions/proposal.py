"""The proposed configuration, made of the file and its overrides, and the plan of its effects."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.config import load_text
from zeke_jobs.config.document import parse
from zeke_jobs.config.models import Config
from zeke_jobs.config.reading import edited
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import diff, masking, store
from zeke_jobs.revisions import overrides as by_hand
from zeke_jobs.revisions.affected_jobs import Orders, touched
from zeke_jobs.revisions.diff import Plan
from zeke_jobs.revisions.store import Override, Revision


@dataclass(frozen=True)
class Request:
    """A request to put a configuration in force.

    Attributes:
        file: The configuration of the file's text alone, checked against this process's code.
        origin: ``apply``, ``boot``, ``rollback``, ``set`` or ``revert``.
        orders: Orders for unfinished jobs of tasks that the file lacks.
        overrides: The values to set beside the file; None keeps the present ones.
    """

    file: Config
    by: str = ""
    message: str = ""
    origin: str = "apply"
    orders: Orders = field(default_factory=Orders)
    overrides: Sequence[Override] | None = None


@dataclass(frozen=True)
class Proposal:
    """The proposed configuration: the file with the overrides. ``before`` is None when this code cannot read the one in force."""

    latest: Revision | None
    before: Config | None
    config: Config
    overrides: tuple[Override, ...]
    plan: Plan


def propose(conn: Connection, request: Request) -> Proposal:
    """Check the file with the overrides and plan the change. Writes nothing.

    Raises:
        ConfigurationError: they do not fit together now or at the end of a timed override, or an order names an unknown task.
    """
    file, orders = request.file, request.orders
    latest = store.latest(conn, whole=store.sees_all(conn))
    in_force = latest.overrides if latest else ()
    before = _readable(latest, file)
    for row in SQL.all(conn, "plan/unfinished", tasks=sorted(orders.cancel)):
        # An order with a misspelt name would do nothing.
        if row["task"] not in (before.tasks if before else {}) and not row["queued"] and not row["active"]:
            raise ConfigurationError(f"expected a task with jobs to cancel, got {row['task']!r}, which has none")
    wanted = in_force if request.overrides is None else request.overrides
    carried, notes = by_hand.carried(file, wanted, in_force)
    fields = masking.fields_of(before, file)
    now: datetime = SQL.value(conn, "schedule/clock")
    kept = tuple(_ordered(carried, request, latest, before, now))
    after = file
    if kept:
        after = load_text(file.text, by_hand.NAME, edits=store.edits(kept))
    if request.origin != "revert":  # a timed override ends even if a later one could not
        by_hand.refuse_stuck(file, kept)
    return Proposal(
        latest,
        before,
        after,
        kept,
        Plan(
            revision=latest.number if latest else 0,
            text_differs=latest is None or latest.digest != file.digest,
            changes=diff.changes(before, after),
            fires=diff.fires(before, after, now),
            touched=touched(conn, before, after, orders),
            restarts=diff.restarts(before, after),
            overrides=tuple(one.masked(fields) for one in kept),
            overridden=diff.changes(file, after),
            notes=(*notes, *_settings_notes(in_force, kept)),
        ),
    )


def _readable(latest: Revision | None, file: Config) -> Config | None:
    """The configuration in force, mostly the file's; None if this version of the code cannot read it."""
    if latest and latest.digest == file.digest and not latest.overrides:
        return file
    try:
        return latest.config(handlers=False) if latest else None
    except ConfigurationError:
        return None


def _settings_notes(before: Sequence[Override], after: Sequence[Override]) -> list[str]:
    """Notes about changes of overrides that no value shows: a task begins to drain, a reason or an end time changes."""
    known = {one.path: one for one in store.visible(before)}
    drained = [one.path[1] for one in after if one.drains is not None and one.path not in known]
    return [f"{name} drains: it takes no new jobs, and leaves when its jobs have ended" for name in drained] + [
        f"{one.label} {'returns to its earlier value set by hand' if one in before else 'is set by hand again'}"
        for one in store.visible(after)
        if one.path in known and replace(one, set_on=known[one.path].set_on) != known[one.path]
    ]


def _ordered(
    kept: Sequence[Override], request: Request, latest: Revision | None, before: Config | None, now: datetime
) -> Sequence[Override]:
    """The overrides, and the ones that the orders add: tasks that drain, and former names that the file does not list."""
    file, orders = request.file, request.orders
    _refuse_contradictions(orders, file)
    # Tasks that were draining are cancelled or renamed instead.
    kept = [one for one in kept if one.drains is None or one.path[1] not in orders.cancel | set(orders.rename)]
    for name in sorted(orders.drain):
        if latest is None or before is None or name not in before.tasks:
            raise ConfigurationError(f"expected a task of the revision in force to drain, got {name!r}")
        if gone := [used for used in before.tasks[name].uses if used not in file.limits]:
            raise ConfigurationError(
                f"expected limits.{gone[0]} to stay in the file while {name}, which uses it, drains, got a file without it\n"
                f"  help: remove it when the jobs of {name} have ended"
            )
        if not any(one.path == ("tasks", name) and one.drains is not None for one in kept):
            queue = before.tasks[name].queue
            stanza = _stanza(latest, name)
            drained = Override(("tasks", name), stanza, request.by, request.message, now, drains=queue)
            kept = by_hand.with_overrides(kept, [drained])
    for old, new in sorted(orders.rename.items()):
        if new not in file.tasks or old in file.tasks:
            raise ConfigurationError(
                f"expected --rename OLD=NEW with a task NEW that the file has and a task OLD that it lacks, got {old}={new}"
            )
        path = ("tasks", new, "aliases")
        aliases = next((one.value for one in kept if one.path == path), file.tasks[new].aliases)
        if old not in aliases:
            renamed = Override(path, [*aliases, old], request.by, request.message, now)
            kept = by_hand.with_overrides(kept, [renamed])
    return kept


def _refuse_contradictions(orders: Orders, file: Config) -> None:
    for name in sorted(orders.drain | orders.cancel | set(orders.rename)):
        given = [how for how in ("drain", "cancel", "rename") if name in getattr(orders, how)]
        if len(given) > 1:
            raise ConfigurationError(f"expected one order for {name}, got {' and '.join(f'--{how}' for how in given)}")
        if file.task(name) is not None and name not in orders.rename:
            raise ConfigurationError(f"expected a task that the file lacks, got {name}, which it has")


def _stanza(latest: Revision, task: str) -> dict[str, Any]:
    """A task's stanza in the revision in force, without its schedule."""
    value = edited(parse(latest.source, "revision").value, store.edits(latest.overrides))
    stanza: dict[str, Any] = value["tasks"][task]
    return {key: inner for key, inner in stanza.items() if key != "cron"}
