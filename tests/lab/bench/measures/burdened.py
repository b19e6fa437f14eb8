"""Draining a task under difficult conditions: an old snapshot, many jobs that may not run."""

from contextlib import closing
from typing import Any

import zeke_jobs
from tests.fleet import query, scalar
from tests.lab.bench import drain, ours
from tests.lab.bench.bench import Bench
from tests.lab.bench.drain import Running
from tests.lab.bench.result import Row
from zeke_jobs.postgres.pool import connect

_KEYED = "fetch-content"  # one job a key
_ONE = "dedupe-insights"  # one job at a time
_PAUSED = "extract-highlights"
_MOST_SEEDED = 2_000_000


def held_transaction(bench: Bench) -> list[Row]:
    """The same length of draining twice, once while somebody's transaction stays open from before its start."""
    seconds = 6.0 if bench.quick else 60.0
    with bench.running(bench.installation("held", ours.jobs_yaml({ours.FREE: {}}))) as up:
        up.sized(1.0, 2_000)
        count = min(_MOST_SEEDED, int(up.drain(20_000).rate * (seconds + 2) * 1.6))
        bench.say(f"{count:,} jobs")
        free = up.window(count, seconds)
        with closing(connect(up.system.url)) as other:
            query(other, "BEGIN ISOLATION LEVEL REPEATABLE READ")
            scalar(other, "SELECT pg_current_xact_id()::text")
            held = up.window(count, seconds)
    return [
        drain.row(f"{seconds:g} s of draining", [free]),
        drain.row(f"{seconds:g} s, a transaction open", [held], [free], "without", 0.6),
    ]


def blocked(bench: Bench) -> list[Row]:
    """Jobs that may run, past many that may not: for their key, for a limit that is taken, for a pause."""
    many = 200_000 if bench.quick else 1_000_000
    nap = {"handler": f"{ours.HANDLERS}:nap"}
    changed: dict[str, dict[str, Any]] = {
        ours.FREE: {},
        _KEYED: {"concurrency": {"per_key": 1}, **nap, "timeout": "1h"},
        _ONE: {"concurrency": 1, **nap, "timeout": "1h"},
        _PAUSED: {},
    }
    keys = {"task": _KEYED, "key": "a", "instead": {"key": "'a' || mod(new.n, 1000)"}, "which": "key < 'b'"}
    with bench.running(bench.installation("blocked", ours.jobs_yaml(changed))) as up:
        count, keyed = up.sized(bench.seconds, 2_000), up.sized(bench.seconds, 2_000, **keys)
        empty = [up.drain(count) for _ in range(bench.rounds)]
        empty_keyed = [up.drain(keyed, **keys) for _ in range(bench.rounds)]
        rows = [drain.row("empty table", empty), drain.row("empty table, 1,000 keys", empty_keyed)]
        query(up.conn, "INSERT INTO zeke_jobs.pause (target, paused_by) VALUES (%s, 'bench')", f"task/{_PAUSED}")
        for what, task, key in (("a pause", _PAUSED, None), ("a limit", _ONE, None), ("their key", _KEYED, "z")):
            holder = None if task == _PAUSED else _occupy(up, task, key)
            up.system.seed(up.conn, many, task=task, key=key, instead={"key": f"'{key}'"} if key else {})
            bench.say(f"{many:,} jobs are blocked by {what}")
            kind = keys if key else {}
            drains = [up.drain(keyed if key else count, **kind) for _ in range(bench.rounds)]
            others = empty_keyed if key else empty
            rows.append(drain.row(f"past {many:,} blocked by {what}", drains, others, "empty table", 0.6))
            up.system.clear(up.conn)
            if holder:
                zeke_jobs.cancel(holder, connection=up.conn)
    return rows


def _occupy(up: Running, task: str, key: str | None) -> Any:
    """Let one job run for as long as it takes."""
    job = zeke_jobs.send(task, {"seconds": 3000}, key=key, connection=up.conn).id
    drain.eventually(
        lambda: scalar(up.conn, "SELECT state = 'consumed' FROM zeke_jobs.queue WHERE message_id = %s", str(job))
    )
    return job
