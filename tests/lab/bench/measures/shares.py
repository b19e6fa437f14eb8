"""Fair shares: what a look costs among many keys, and how long a small customer waits beside a large one."""

from contextlib import closing
from functools import partial
from typing import Any

import zeke_jobs
from tests.fleet import query, scalar
from tests.lab.bench import drain, ours, result
from tests.lab.bench.bench import Bench
from tests.lab.bench.measures.server_cost import Session
from tests.lab.bench.result import Row
from zeke_jobs.postgres.pool import connect

_SHARED, _PLAIN = ours.FREE, "dedupe-insights"
_MANY = 100_000
_FEW = 10
_LEFT = "SELECT count(*) FROM zeke_jobs.queue WHERE key = 'small' AND state <> 'done'"
_LONGEST = 2.0  # seconds until the few have started


def measure(bench: Bench) -> list[Row]:
    """100,000 jobs of as many keys, with and without shares; then of one key, and ten jobs of another one."""
    nap = {"handler": f"{ours.HANDLERS}:nap", "concurrency": 4}
    return [
        *_looks(bench, ours.jobs_yaml({_SHARED: {"share": "key", "concurrency": 8}, _PLAIN: {"concurrency": 8}})),
        _wait(bench, ours.jobs_yaml({_SHARED: {"share": "key", **nap}})),
    ]


def _looks(bench: Bench, text: str) -> list[Row]:
    installation = bench.installation("keys", text)
    found: dict[str, list[float]] = {_PLAIN: [], _SHARED: []}
    held: dict[str, list[Any]] = {_PLAIN: [], _SHARED: []}
    with closing(connect(installation.url)) as conn:
        for task in found:
            installation.seed(conn, _MANY, task=task)
        query(conn, "UPDATE zeke_jobs.queue SET key = md5(message_id::text)")
        query(conn, "VACUUM ANALYZE zeke_jobs.queue")
        sessions = {task: Session(conn, [task]) for task in found}

        def look(task: str) -> None:
            held[task] = sessions[task].look(held[task])

        for _ in range(bench.rounds):
            for task, costs in found.items():
                costs.append(sessions[task].cost(300, partial(look, task)))
    bench.server.drop(installation.url)
    plain = result.middle("a full look among 100,000 keys", found[_PLAIN], unit="µs")
    shared = result.middle("the same with shares", found[_SHARED], found[_PLAIN], unit="µs", against="without")
    return [plain, shared]


def _wait(bench: Bench, text: str) -> Row:
    waits = []
    with bench.running(bench.installation("shares", text)) as up:
        for _ in range(bench.rounds):
            zeke_jobs.send_many(_SHARED, [{"seconds": 0.01}] * _MANY, key="large", connection=up.conn)
            sent = scalar(up.conn, "SELECT zeke_jobs.now()")
            zeke_jobs.send_many(_SHARED, [{"seconds": 0.01}] * _FEW, key="small", connection=up.conn)
            drain.eventually(lambda: not scalar(up.conn, _LEFT))
            last = "SELECT extract(epoch FROM max(claimed_on) - %s)::float FROM zeke_jobs.queue WHERE key = 'small'"
            waits.append(scalar(up.conn, last, sent))
            query(up.conn, "DELETE FROM zeke_jobs.queue WHERE state <> 'consumed'")
    what = f"until {_FEW} jobs have started beside {_MANY:,} of another key, at 4 at once"
    return result.middle(what, waits, unit="s", most=_LONGEST)
