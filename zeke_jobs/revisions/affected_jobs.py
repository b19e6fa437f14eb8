"""The jobs that a change of the configuration touches, counted in the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from zeke_jobs.config import handlers
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions.diff import Touched, successors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config, Task

MOST_READ = 10_000  # payloads of one task


@dataclass(frozen=True)
class Orders:
    """What becomes of the unfinished jobs of tasks that leave the file.

    Attributes:
        drain: Tasks that run until their jobs have ended, and take no new ones.
        cancel: Tasks whose jobs are cancelled.
        rename: Old ids, and the ids of the tasks that get their jobs.
    """

    drain: frozenset[str] = frozenset()
    cancel: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Count:
    queued: int = 0
    active: int = 0
    stopping: int = 0


def touched(conn: Connection, before: Config | None, after: Config, orders: Orders) -> tuple[Touched, ...]:
    """What a plan says about jobs. ``after`` was checked against this process's code."""
    schemas = {row["id"]: row["payload_schema"] for row in SQL.all(conn, "plan/schemas")}
    names = {*schemas, *(before.tasks if before else {}), *after.tasks, *orders.cancel}
    counts = {
        row["task"]: _Count(row["queued"], row["active"], row["stopping"])
        for row in SQL.all(conn, "plan/unfinished", tasks=sorted(names))
    }
    found = [
        *_left_behind(
            [name for name in sorted({*schemas, *orders.cancel}) if after.task(name) is None], counts, orders
        ),
        *_renamed(before, after, counts),
    ]
    for task in after.tasks.values():
        found += _of_task(conn, before.tasks.get(task.id) if before else None, task, counts, schemas)
    found += _above_shared(before, after, counts)
    return tuple(found)


def _left_behind(gone: list[str], counts: Mapping[str, _Count], orders: Orders) -> Iterator[Touched]:
    for name in gone:
        count = counts.get(name, _Count())
        if not count.queued and not count.active:
            continue
        if name in orders.cancel:
            running = count.active - count.stopping  # that nobody has cancelled yet
            if count.queued or running:
                yield Touched("cancelled", name, count.queued, running, "cancelled; active ones are stopped")
        else:
            yield Touched("stranded", name, count.queued, count.active, "no task would run them")


def _renamed(before: Config | None, after: Config, counts: Mapping[str, _Count]) -> Iterator[Touched]:
    for old, new in successors(before, after).items():
        count = counts.get(old, _Count())
        if count.queued or count.active:
            yield Touched("renamed", new, count.queued, count.active, f"queued jobs of {old} become jobs of {new}")


def _of_task(
    conn: Connection, old: Task | None, task: Task, counts: Mapping[str, _Count], schemas: Mapping[str, object]
) -> Iterator[Touched]:
    # What waits under a former name becomes this task's.
    for name in (task.id, *task.aliases):
        count = counts.get(name, _Count())
        if count.queued and (name != task.id or _changes_payload(task, schemas)):
            yield from _unfit(conn, name, task)
    count = counts.get(task.id, _Count())
    limit = task.concurrency.limit
    if old is None:
        return
    if limit is not None and count.active > limit:
        yield Touched(
            "above", task.id, 0, count.active, f"active, above the limit of {limit}; they finish, none starts above it"
        )
    if old.queue != task.queue and count.queued:
        yield Touched("moved", task.id, count.queued, 0, f"move from queue {old.queue} to {task.queue}")
    if old.priority != task.priority and count.queued:
        yield Touched("priority", task.id, count.queued, 0, f"that have priority {old.priority} get {task.priority}")


def _changes_payload(task: Task, schemas: Mapping[str, object]) -> bool:
    model = handlers.resolve(task).payload_model
    return task.id in schemas and schemas[task.id] != model.model_json_schema(by_alias=False)


def _unfit(conn: Connection, stored_as: str, task: Task) -> Iterator[Touched]:
    model = handlers.resolve(task).payload_model
    faults: Counter[str] = Counter()
    bad = read = 0
    for row in SQL.all(conn, "plan/payloads", task=stored_as, limit=MOST_READ):
        read += 1
        try:
            model.model_validate(row["payload"])
        except ValidationError as error:
            bad += 1
            first = error.errors(include_input=False, include_url=False)[0]
            faults[f"{'.'.join(map(str, first['loc']))}: {first['msg']}"] += 1
    if bad:
        most = faults.most_common(1)[0][0]
        seen = f" of the first {read:,} that wait" if read == MOST_READ else ""
        yield Touched("unfit", task.id, bad, 0, f"no longer fit and would fail{seen} ({most})")


def _above_shared(before: Config | None, after: Config, counts: Mapping[str, _Count]) -> Iterator[Touched]:
    for limit in after.limits.values():
        active = sum(counts.get(t.id, _Count()).active for t in after.tasks.values() if limit.name in t.uses)
        if before is not None and limit.concurrency is not None and active > limit.concurrency:
            yield Touched(
                "above",
                f"limits.{limit.name}",
                0,
                active,
                f"active, above the limit of {limit.concurrency}; they finish, none starts above it",
            )
