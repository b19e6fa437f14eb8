"""Counts the jobs in the database that a change of the configuration affects."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from psycopg2.extensions import connection as Connection
from pydantic import BaseModel, ValidationError

from zeke_jobs.config import handlers
from zeke_jobs.config.models import Config, Task
from zeke_jobs.core.redaction import MASK
from zeke_jobs.postgres.queries import SQL, Row
from zeke_jobs.revisions import store
from zeke_jobs.revisions.diff import Touched, successors

MOST_READ = 10_000  # payloads read of one task


@dataclass(frozen=True)
class Orders:
    """Orders for unfinished jobs of tasks that leave the file.

    Attributes:
        drain: Tasks that take no new jobs and run until theirs have ended.
        cancel: Tasks whose jobs are cancelled.
        rename: Old ids, each with the id of the task that gets its jobs.
    """

    drain: frozenset[str] = frozenset()
    cancel: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)


def touched(conn: Connection, before: Config | None, after: Config, orders: Orders) -> tuple[Touched, ...]:
    """The effects of a plan on jobs. ``after`` has passed the checks against this process's code."""
    jobs = _Jobs(conn, before or Config(), after, orders)
    found = [*jobs.left_behind(), *jobs.renamed()]
    for task in after.tasks.values():
        found += [*jobs.unfit(task), *jobs.changed(task)]
    return (*found, *jobs.above_shared())


class _Jobs:
    """The unfinished jobs of all tasks in either configuration."""

    def __init__(self, conn: Connection, before: Config, after: Config, orders: Orders) -> None:
        self._conn, self._before, self._after, self._orders = conn, before, after, orders
        self._schemas = {row["id"]: row["payload_schema"] for row in SQL.all(conn, "plan/schemas")}
        names = {*self._schemas, *before.tasks, *after.tasks, *orders.cancel}
        # Of the active jobs, those that stop are being cancelled already.
        self._counts: defaultdict[str, Row] = defaultdict(lambda: Row(queued=0, active=0, stopping=0))
        self._counts.update({row.task: row for row in SQL.named(conn, "plan/unfinished", tasks=sorted(names))})

    def left_behind(self) -> Iterator[Touched]:
        for name in sorted({*self._schemas, *self._orders.cancel}):
            count, is_cancelled = self._counts[name], name in self._orders.cancel
            active = count.active - count.stopping if is_cancelled else count.active
            if self._after.task(name) is not None or not (count.queued or active):
                continue
            if is_cancelled:
                yield Touched("cancelled", name, count.queued, active, "cancelled; active ones are stopped")
            else:
                yield Touched("stranded", name, count.queued, active, "no task would run them")

    def renamed(self) -> Iterator[Touched]:
        for old, new in successors(self._before, self._after).items():
            count = self._counts[old]
            if count.queued or count.active:
                detail = f"queued jobs of {old} become jobs of {new}"
                yield Touched("renamed", new, count.queued, count.active, detail)

    def unfit(self, task: Task) -> Iterator[Touched]:
        """Queued jobs whose payload the task refuses; also jobs under a former name of the task, because it gets them."""
        handler = handlers.resolve(task)
        schema = self._schemas.get(task.id)
        is_changed = task.id in self._schemas and schema != handler.payload_schema
        for name in (task.id, *task.aliases):
            if self._counts[name].queued and (name != task.id or is_changed):
                yield from self._unfit(name, task.id, handler.payload_model)

    def _unfit(self, stored_as: str, task: str, model: type[BaseModel]) -> Iterator[Touched]:
        faults: Counter[str] = Counter()
        sees_all = store.sees_all(self._conn)
        statement = "plan/payloads" if sees_all else "plan/masked_payloads"
        rows = SQL.all(self._conn, statement, task=stored_as, limit=MOST_READ)
        for row in rows:
            try:
                model.model_validate(row["payload"])
            except ValidationError as error:
                for one in error.errors(include_url=False):
                    if sees_all or (one["input"] != MASK and one["loc"]):  # else a masked field may be the reason
                        faults[f"{'.'.join(map(str, one['loc']))}: {one['msg']}"] += 1
                        break
        if faults:
            seen = f" of the first {MOST_READ:,} that wait" if len(rows) == MOST_READ else ""
            detail = f"no longer fit and would fail{seen} ({faults.most_common(1)[0][0]})"
            yield Touched("unfit", task, faults.total(), 0, detail)

    def changed(self, task: Task) -> Iterator[Touched]:
        old, count = self._before.tasks.get(task.id), self._counts[task.id]
        if old is None:
            return
        yield from _above(task.id, count.active, task.concurrency.limit)
        if old.queue != task.queue and count.queued:
            yield Touched("moved", task.id, count.queued, 0, f"move from queue {old.queue} to {task.queue}")
        if old.priority != task.priority and count.queued:
            detail = f"that have priority {old.priority} get {task.priority}"
            yield Touched("priority", task.id, count.queued, 0, detail)

    def above_shared(self) -> Iterator[Touched]:
        for limit in self._after.limits.values() if self._before.tasks else ():
            users = [task.id for task in self._after.tasks.values() if limit.name in task.uses]
            active = sum(self._counts[name].active for name in users)
            yield from _above(f"limits.{limit.name}", active, limit.concurrency)


def _above(name: str, active: int, limit: int | None) -> Iterator[Touched]:
    if limit is not None and active > limit:
        yield Touched(
            "above", name, 0, active, f"active, above the limit of {limit}; they finish, none starts above it"
        )
