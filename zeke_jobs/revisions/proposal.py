"""Combines a new jobs.yaml with the overrides, and computes the effects on tasks, schedules and unfinished jobs."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from psycopg2.extensions import connection as Connection
from pydantic import BaseModel, ValidationError

from zeke_jobs.config import edited, handlers, load_text
from zeke_jobs.config.document import parse
from zeke_jobs.config.models import Config, Task
from zeke_jobs.core.redaction import MASK
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.queries import SQL, Row
from zeke_jobs.revisions import diff, overrides as by_hand, store
from zeke_jobs.revisions.diff import Plan, Touched, Why, successors
from zeke_jobs.revisions.store import Override, Revision

MOST_READ = 10_000  # maximum number of payloads to read of one task


@dataclass(frozen=True)
class Orders:
    """Says what to do with the unfinished jobs of tasks that a new jobs.yaml no longer has."""

    drain: frozenset[str] = frozenset()  # tasks that take no new jobs, and stay until their jobs have ended
    cancel: frozenset[str] = frozenset()  # tasks whose jobs are cancelled
    rename: Mapping[str, str] = field(default_factory=dict)  # old ids, each with the id of the task that gets its jobs


def touched(conn: Connection, before: Config | None, after: Config, orders: Orders) -> Iterator[Touched]:
    """Yield the effects of the configuration ``after`` on unfinished jobs. ``after`` must fit this process's code."""
    before = before or Config()
    schemas = {row["id"]: row["payload_schema"] for row in SQL.all(conn, "plan/schemas")}
    names = {*schemas, *before.tasks, *after.tasks, *orders.cancel}
    counts: defaultdict[str, Row] = defaultdict(lambda: Row(queued=0, active=0, stopping=0))
    counts.update({row.task: row for row in SQL.named(conn, "plan/unfinished", tasks=sorted(names))})
    for name in sorted({*schemas, *orders.cancel}):
        count, is_cancelled = counts[name], name in orders.cancel
        # Do not count active jobs that are already being stopped.
        active = count.active - count.stopping if is_cancelled else count.active
        if after.task(name) is None and (count.queued or active):
            why: Why = "cancelled" if is_cancelled else "stranded"
            detail = "cancelled; active ones are stopped" if is_cancelled else "no task would run them"
            yield Touched(why, name, count.queued, active, detail)
    for old, new in successors(before, after).items():
        count = counts[old]
        if count.queued or count.active:
            yield Touched("renamed", new, count.queued, count.active, f"queued jobs of {old} become jobs of {new}")
    for task in after.tasks.values():
        model, schema = handlers.resolve(task).payload_model, handlers.resolve(task).payload_schema
        is_changed = task.id in schemas and schemas[task.id] != schema
        for name in (task.id, *task.aliases):  # the task also gets the jobs under a former name
            if counts[name].queued and (name != task.id or is_changed):
                yield from _unfit(conn, name, task.id, model)
        if task.id in before.tasks:
            yield from _changed(before.tasks[task.id], task, counts[task.id])
    for limit in after.limits.values() if before.tasks else ():
        active = sum(counts[task.id].active for task in after.tasks.values() if limit.name in task.uses)
        yield from _above(f"limits.{limit.name}", active, limit.concurrency)


def _unfit(conn: Connection, stored_as: str, task: str, model: type[BaseModel]) -> Iterator[Touched]:
    """Yield one effect, with the number of queued jobs whose payloads the task's model refuses, if there are any."""
    faults: Counter[str] = Counter()
    sees_all = store.sees_all(conn)
    rows = SQL.all(conn, "plan/payloads" if sees_all else "plan/masked_payloads", task=stored_as, limit=MOST_READ)
    for row in rows:
        try:
            model.model_validate(row["payload"])
        except ValidationError as error:
            for one in error.errors(include_url=False):
                if sees_all or (one["input"] != MASK and one["loc"]):  # otherwise a masked field may be the reason
                    faults[f"{'.'.join(map(str, one['loc']))}: {one['msg']}"] += 1
                    break
    if faults:
        seen = f" of the first {MOST_READ:,} that wait" if len(rows) == MOST_READ else ""
        detail = f"no longer fit and would fail{seen} ({faults.most_common(1)[0][0]})"
        yield Touched("unfit", task, faults.total(), 0, detail)


def _changed(old: Task, task: Task, count: Row) -> Iterator[Touched]:
    yield from _above(task.id, count.active, task.concurrency.limit)
    if old.queue != task.queue and count.queued:
        yield Touched("moved", task.id, count.queued, 0, f"move from queue {old.queue} to {task.queue}")
    if old.priority != task.priority and count.queued:
        yield Touched("priority", task.id, count.queued, 0, f"that have priority {old.priority} get {task.priority}")


def _above(name: str, active: int, limit: int | None) -> Iterator[Touched]:
    if limit is not None and active > limit:
        detail = f"active, above the limit of {limit}; they finish, none starts above it"
        yield Touched("above", name, 0, active, detail)


@dataclass(frozen=True)
class Request:
    """Describes a request to put a jobs.yaml in force."""

    file: Config  # the configuration of the file's text alone, checked against this process's code
    by: str = ""
    message: str = ""
    origin: str = "apply"  # ``apply``, ``boot``, ``rollback``, ``set`` or ``revert``
    orders: Orders = field(default_factory=Orders)  # for unfinished jobs of tasks that the file lacks
    overrides: Sequence[Override] | None = None  # the values that will override the file; None keeps the current values


@dataclass(frozen=True)
class Proposal:
    """Holds a new jobs.yaml with its overrides and plan. ``before`` is None if no readable revision is in force."""

    latest: Revision | None
    before: Config | None
    config: Config
    overrides: tuple[Override, ...]
    plan: Plan


def propose(conn: Connection, request: Request) -> Proposal:
    """Check the new jobs.yaml together with the overrides, and plan the change. The function writes nothing.

    Raises ConfigurationError if the orders are wrong, or the file is invalid with the overrides, now or after one ends.
    """
    file, orders = request.file, request.orders
    latest = store.latest(conn, whole=store.sees_all(conn))
    in_force = latest.overrides if latest else ()
    before = _readable(latest, file)
    for row in SQL.all(conn, "plan/unfinished", tasks=sorted(orders.cancel)):
        # Refuse a task that is neither in the jobs.yaml in force nor has jobs: its name is probably misspelt.
        if row["task"] not in (before.tasks if before else {}) and not row["queued"] and not row["active"]:
            raise ConfigurationError(f"expected a task with jobs to cancel, got {row['task']!r}, which has none")
    wanted = in_force if request.overrides is None else request.overrides
    carried, notes = by_hand.carried(file, wanted, in_force)
    fields = store.sensitive_fields(before, file)
    now: datetime = SQL.value(conn, "schedule/clock")
    kept = tuple(_ordered(carried, request, latest, before, now))
    after = load_text(file.text, by_hand.NAME, edits=store.edits(kept)) if kept else file
    if request.origin != "revert":  # a timed override ends even if another override could not end later
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
            touched=tuple(touched(conn, before, after, orders)),
            restarts=diff.restarts(before, after),
            overrides=tuple(one.masked(fields) for one in kept),
            overridden=diff.changes(file, after),
            notes=(*notes, *_settings_notes(in_force, kept)),
        ),
    )


def _readable(latest: Revision | None, file: Config) -> Config | None:
    """Return the configuration in force, or None if no configuration is in force or this code cannot read it."""
    if latest and latest.digest == file.digest and not latest.overrides:
        return file
    try:
        return latest.config(handlers=False) if latest else None
    except ConfigurationError:
        return None


def _settings_notes(before: Sequence[Override], after: Sequence[Override]) -> list[str]:
    """Return notes on tasks that begin to drain, and on overrides set again or replaced by an earlier one."""
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
    """Add overrides that keep the tasks to drain, and that give renamed tasks their old ids as aliases."""
    file, orders = request.file, request.orders
    _refuse_contradictions(orders, file)
    # If the operator cancels or renames a draining task, end its draining.
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
            text = edited(parse(latest.source).value, store.edits(latest.overrides))
            stanza = {key: value for key, value in text["tasks"][name].items() if key != "cron"}
            queue = before.tasks[name].queue
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
        given = [f"--{how}" for how in ("drain", "cancel", "rename") if name in getattr(orders, how)]
        if len(given) > 1:
            raise ConfigurationError(f"expected one order for {name}, got {' and '.join(given)}")
        if file.task(name) is not None and name not in orders.rename:
            raise ConfigurationError(f"expected a task that the file lacks, got {name}, which it has")
