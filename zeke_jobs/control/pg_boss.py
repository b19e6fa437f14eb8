"""Imports schedules and jobs (queued, delayed or recently ended) from pg-boss 10 to 12 in the same database."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.client import drivers, schedules, task_cache
from zeke_jobs.client.task_cache import KnownTask
from zeke_jobs.core import bounds
from zeke_jobs.errors import ConfigurationError, InvalidPayload, UnknownTask
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL, Row

_AT_ONCE = 500  # jobs in one transaction
_LONGEST_KEY = 1024  # bytes
_QUEUED, _ENDED = ("created", "retry"), ("completed", "failed")
_TIMES = ("created_on", "start_after", "started_on", "completed_on")


@dataclass(frozen=True)
class Left:
    """Describes a job or a schedule that is not imported and stays in pg-boss, with the reason."""

    name: str
    what: str
    why: str


@dataclass
class Report:
    """Reports the jobs and schedules that an import took over or, after a dry run, would take over."""

    version: int
    queues: list[Row]  # rows of ``import/counts``; ``task_id`` is None for a queue without a task
    jobs: Counter[tuple[str, str]] = field(default_factory=Counter)  # number of jobs by queue and pg-boss state
    schedules: list[str] = field(default_factory=list)  # names in zeke_jobs of the schedules taken over
    left: list[Left] = field(default_factory=list)  # jobs and schedules that stay because of a fault

    @property
    def unknown(self) -> list[str]:
        """Return the names of queues without a task: ``Import.names`` lacks them, and no task has the same name."""
        return [queue.name for queue in self.queues if queue.task_id is None]


@dataclass
class Import:
    """Imports jobs and schedules from pg-boss. There, it cancels imported queued jobs and deletes imported schedules.

    Args:
        conn: An autocommit connection of a database user who may write to the tables of pg-boss and zeke_jobs.
        names: Maps a queue's name to the id or alias of its task. A queue that has a task's name needs no entry.
        recent: Jobs that completed or failed within this time are copied too, for the record, and stay in pg-boss.

    Raises:
        ConfigurationError: the schema has no tables of pg-boss 10, 11 or 12.
        UnknownTask: ``names`` contains an unknown task; the message suggests the nearest name.
    """

    conn: Connection
    _: KW_ONLY
    schema: str
    names: Mapping[str, str]
    recent: timedelta
    by: str | None = None

    def __post_init__(self) -> None:
        self._source = f"pg-boss/{self.schema}"
        self._known: dict[str, KnownTask] = {}
        with self._there():
            found = SQL.only(self.conn, "import/version", recent=self.recent)
        if found["version"] is None:
            raise self._missing()
        self.version, self._since = found["version"], found["since"]
        self.names = {name: self._find(task).id for name, task in self.names.items()}

    def run(self, told: Callable[[int], None] = lambda _: None, *, commits: bool = True) -> Report:
        """Import schedules, then jobs, queued ones first. Each transaction imports up to 500 jobs.

        The transaction also cancels queued jobs in pg-boss. ``told`` is then called with the number of jobs so far. If
        ``commits`` is False, nothing is imported.
        """
        with self._there():
            queues = SQL.named(self.conn, "import/counts", source=self._source, since=self._since)
        for queue in queues:
            queue.task_id = self.names.get(queue.name, queue.task_id)
        report = Report(self.version, queues)
        self._known = {queue.name: self._find(queue.task_id) for queue in report.queues if queue.task_id}
        self._take_schedules(report, commits=commits)
        for states in (_QUEUED, _ENDED):
            for _ in self._pages(states, report, commits=commits):
                told(report.jobs.total())
        return report

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Set pg-boss's search_path for one transaction. Set for longer, it would affect a pooler's other clients."""
        with transaction(self.conn):
            if SQL.one(self.conn, "import/schema", schema=self.schema) is None:
                raise self._missing()
            yield

    def _missing(self) -> ConfigurationError:
        return ConfigurationError(
            f"expected a pg-boss of version 10, 11 or 12 in schema {self.schema}, got none\n"
            "  help: --schema names its schema; DATABASE_URL must name its database"
        )

    def _find(self, name: str) -> KnownTask:
        return drivers.perform(self.conn, task_cache.find, name)

    def _pages(self, states: tuple[str, ...], report: Report, *, commits: bool) -> Iterator[None]:
        after: dict[str, Any] = {"after_time": None, "after": None}
        locks = commits and states == _QUEUED
        while True:
            with self._there():
                given = {"names": list(self._known), "states": list(states), "since": self._since, "most": _AT_ONCE}
                statement = "import/queued" if locks else "import/page"
                rows = SQL.all(self.conn, statement, source=self._source, **given, **after)
                jobs = [json.loads(row["job"]) for row in rows]
                fit = [one for job in jobs if (one := self._fit(job, report)) is not None]
                taken = {one["job"]["id"] for one in fit}
                if commits and fit:
                    params = {"source": self._source, "jobs": encode(fit), "by": self.by}
                    taken = set(SQL.value(self.conn, "import/take", **params))
                if locks and taken:
                    SQL.run(self.conn, "import/cancel", source=self._source, jobs=sorted(taken))
            counted = [one["job"] for one in fit if one["job"]["id"] in taken]
            report.jobs.update((job["name"], job["state"]) for job in counted)
            yield
            if len(jobs) < _AT_ONCE:
                return
            after = {"after_time": jobs[-1]["created_on"], "after": jobs[-1]["id"]}

    def _fit(self, job: dict[str, Any], report: Report) -> dict[str, Any] | None:
        known = self._known[job["name"]]
        try:
            _check(job)
            return {"job": job, "task": known.id, "payload": json.loads(known.accept(job["data"]))}
        except (ValueError, InvalidPayload) as error:
            report.left.append(Left(job["name"], f"job {job['id']}, {job['state']}", str(error)))
            return None

    def _take_schedules(self, report: Report, *, commits: bool) -> None:
        with self._there():
            rows = SQL.all(self.conn, "import/schedules")
        for row in rows:
            one = json.loads(row["schedule"])
            name, key = one["name"], one.get("key") or ""
            if name.startswith("__pgboss__"):
                continue
            what = f"schedule {one['cron']}" + (f" of key {key}" if key else "")
            try:
                task = self._find(self.names.get(name, name))
                if SQL.all(self.conn, "import/scheduled", task=task.id)[0]["is_scheduled"]:
                    report.left.append(Left(name, what, "jobs.yaml has a schedule of its task"))
                    continue
                ours = f"{name}/{key or 'pg-boss'}"
                with self._there(), self.conn.cursor() as cursor:
                    schedules.put(
                        ours, task=task.id, at=one["cron"], timezone=one.get("timezone") or "UTC", payload=one["data"],
                        by=self.by, connection=self.conn,
                    )  # fmt: skip
                    SQL.run(self.conn, "import/unschedule", name=name, key=key)
                    if not commits:
                        cursor.execute("ROLLBACK AND CHAIN")
                report.schedules.append(ours)
            except UnknownTask:
                report.left.append(Left(name, what, "no task has this name"))
            except (ValueError, InvalidPayload) as error:
                report.left.append(Left(name, what, str(error)))


def _check(job: dict[str, Any]) -> None:
    """Raise ValueError if zeke_jobs cannot store a job: it is part of a flow, or has an invalid time or key."""
    is_queued = job["state"] in _QUEUED
    if is_queued and (job.get("pending_dependencies") or job.get("blocked") or job.get("blocking")):
        raise ValueError("it waits for other jobs of its flow, or they wait for it")
    for name in _TIMES:
        try:
            is_fine = job[name] is None or bounds.EARLIEST <= datetime.fromisoformat(job[name]) < bounds.LATEST
        except ValueError:  # infinity, a year before Christ, or a year of five digits
            is_fine = False
        if not is_fine:
            raise ValueError(f"expected {name} from 1970-01-01 to 9000-01-01, got {job[name]}")
    for name in ("group_id", "singleton_key") if is_queued else ("group_id",):
        size = len((job.get(name) or "").encode())
        if size > _LONGEST_KEY:
            raise ValueError(f"expected {name} of at most {_LONGEST_KEY} bytes, got {size}")
