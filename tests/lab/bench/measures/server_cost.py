"""CPU of the server for the statements of the hot path, in one session: to compare two trees, run it in turns in both."""

import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import psutil
from psycopg2.extensions import connection as Connection
from psycopg2.extras import register_uuid

import zeke_jobs
from tests.lab.bench import ours, result
from tests.lab.bench.bench import Bench
from tests.lab.bench.result import Row
from zeke_jobs import config
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.answer import ask
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.finish.outcome import Outcome
from zeke_jobs.worker.finish.writer import Ending

_TASK = "story-summarize"
_AT_ONCE = 8


class Session:
    """A worker of one connection: what it asks is what a worker process asks."""

    def __init__(self, conn: Connection, tasks: list[str]) -> None:
        self._conn, self._id, self._tasks = conn, uuid.uuid4(), tasks
        self._backend = psutil.Process(conn.info.backend_pid)
        register_uuid(conn_or_curs=conn)  # type: ignore[no-untyped-call]
        row = {"kind": "worker", "host": "here", "pid": 1, "version": "1", "lost_after": timedelta(hours=1)}
        SQL.run(
            conn, "worker/register",
            id=self._id, queues=["default"], tasks=tasks, threads=_AT_ONCE, revision=1, file_revision=1, **row,
        )  # fmt: skip

    def send(self) -> None:
        zeke_jobs.send(_TASK, {"n": 1}, connection=self._conn)

    def look(self, ended: list[Ending] | None = None) -> list[Ending]:
        """Complete what was claimed, and claim."""
        of = self._conn, self._id, self._tasks, "default", _AT_ONCE, (_AT_ONCE, 0)
        answer = ask(*of, is_empty=False, revision=1, completions=ended or [])
        return [(JobMessage(row, "default", 0.0).claim, Outcome("completed", "null")) for row in answer.jobs]

    def cycle(self) -> None:
        self.send()
        self.look(self.look())

    def cost(self, times: int, call: Callable[[], Any]) -> float:
        """Microseconds of CPU of the session's process for one call."""
        before = sum(self._backend.cpu_times()[:2])
        for _ in range(times):
            call()
        return (sum(self._backend.cpu_times()[:2]) - before) / times * 1e6


def measure(bench: Bench) -> list[Row]:
    """Each figure is of some hundred milliseconds of CPU at least, which Linux counts by ticks of ten."""
    installation = bench.installation("cost", ours.jobs_yaml({}))
    times = 600 if bench.quick else 3_000
    found: dict[str, list[float]] = {}
    with closing(connect(installation.url)) as conn:
        session = Session(conn, list(config.load(installation.path).tasks))
        for _ in range(60):
            session.cycle()
        for _ in range(bench.rounds):
            for what, count, call in (
                ("a look that finds nothing", 3 * times, session.look),
                ("a send", times, session.send),
            ):
                found.setdefault(what, []).append(session.cost(count, call))
            found.setdefault("a job of a drain by eight", []).append(_drain(session, times))
            cycle = session.cost(times, session.cycle)
            found.setdefault("send, look, completion and look", []).append(cycle)
    bench.server.drop(installation.url)
    return [result.middle(what, rounds, unit="µs") for what, rounds in found.items()]


def _drain(session: Session, jobs: int) -> float:
    def drain() -> None:
        held = session.look()
        while held:
            held = session.look(held)

    return session.cost(1, drain) / jobs
