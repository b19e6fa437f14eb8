"""Draining a task under difficult conditions: old snapshots, many rows, many jobs that may not run."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.lab.bench import drain, ours, server
from tests.lab.bench.bench import ratio
from tests.lab.bench.result import Row
from zeke_jobs import client
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from tests.lab.bench.bench import Bench, Running
    from tests.lab.bench.drain import Drain

HELD = "drain-held-transaction"
LARGE = "drain-large-table"
BLOCKED = "drain-blocked"
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
        free = _long_window(up, count, seconds)
        with closing(connect(up.system.url)) as other:
            server.run(other, "BEGIN ISOLATION LEVEL REPEATABLE READ")
            server.scalar(other, "SELECT pg_current_xact_id()::text")
            held = _long_window(up, count, seconds)
    bench.say(f"{free.rate:,.0f}/s; with a transaction open {held.rate:,.0f}/s")
    rows = [Row(HELD, f"{seconds:g} s of draining", free.rate, note=_cost(free))]
    return [*rows, _row(HELD, f"{seconds:g} s, a transaction open", [held], [free], 0.8)]


def large_table(bench: Bench) -> list[Row]:
    """The same window on a table that is nearly empty, and on one full of queued and finished jobs."""
    queued, finished = (200_000, 500_000) if bench.quick else (1_000_000, 5_000_000)
    with bench.running(bench.installation("large", ours.jobs_yaml({ours.FREE: {}}))) as up:
        count = up.sized(bench.seconds, 2_000)
        empty = [up.drain(count) for _ in range(bench.rounds)]
        _finish_many(up, finished)
        bench.say(f"{finished:,} finished rows are there")
        full = [
            drain.window(up.system, up.fleet, up.conn, up.server, queued, bench.seconds) for _ in range(bench.rounds)
        ]
    rates = drain.median(empty).rate, drain.median(full).rate
    bench.say(f"{rates[0]:,.0f}/s; on the full table {rates[1]:,.0f}/s")
    return [
        Row(LARGE, "empty table", rates[0], rounds=tuple(d.rate for d in empty), note=_cost(drain.median(empty))),
        _row(LARGE, f"{queued:,} queued, {finished:,} finished", full, empty, 0.8),
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
    keys = {"tasks": (_KEYED,), "key": "a", "instead": {"key": "'a' || mod(new.n, 1000)"}, "which": "key < 'b'"}
    with bench.running(bench.installation("blocked", ours.jobs_yaml(changed))) as up:
        count, keyed = up.sized(bench.seconds, 2_000), up.sized(bench.seconds, 2_000, **keys)
        empty = [up.drain(count) for _ in range(bench.rounds)]
        empty_keyed = [up.drain(keyed, **keys) for _ in range(bench.rounds)]
        rows = [
            Row(BLOCKED, "empty table", drain.median(empty).rate, rounds=tuple(d.rate for d in empty)),
            Row(
                BLOCKED,
                "empty table, 1,000 keys",
                drain.median(empty_keyed).rate,
                rounds=tuple(d.rate for d in empty_keyed),
            ),
        ]
        server.run(up.conn, "INSERT INTO zeke_jobs.pause (target, paused_by) VALUES (%s, 'bench')", f"task/{_PAUSED}")
        for what, task, key in (("a pause", _PAUSED, None), ("a limit", _ONE, None), ("their key", _KEYED, "z")):
            holder = None if task == _PAUSED else _occupy(up, task, key)
            up.system.seed(up.conn, many, tasks=(task,), key=key, instead={"key": f"'{key}'"} if key else {})
            bench.say(f"{many:,} jobs are blocked by {what}")
            kind = keys if key else {}
            drains = [up.drain(keyed if key else count, **kind) for _ in range(bench.rounds)]
            rows.append(_row(BLOCKED, f"past {many:,} blocked by {what}", drains, empty_keyed if key else empty, 0.5))
            bench.say(f"past them {drain.median(drains).rate:,.0f}/s")
            up.system.clear(up.conn)
            if holder:
                client.cancel(holder, connection=up.conn)
    return rows


def _long_window(up: Running, count: int, seconds: float) -> Drain:
    return drain.window(up.system, up.fleet, up.conn, up.server, count, seconds)


def _occupy(up: Running, task: str, key: str | None) -> Any:
    """Let one job run for as long as it takes."""
    job = client.send(task, {"seconds": 3000}, key=key, connection=up.conn).id
    drain.eventually(
        lambda: server.scalar(up.conn, "SELECT state = 'consumed' FROM zeke_jobs.queue WHERE message_id = %s", str(job))
    )
    return job


def _finish_many(up: Running, count: int) -> None:
    """Finished jobs of all tasks, over the last days."""
    job = server.scalar(up.conn, "SELECT message_id::text FROM zeke_jobs.queue WHERE state = 'done' LIMIT 1")
    names = server.scalar(up.conn, "SELECT array_agg(id ORDER BY id)::text FROM zeke_jobs.task")
    task = f"('{names}'::text[])[1 + mod(new.n, 13)]"
    message = f"jsonb_set(jsonb_set(q.message, '{{message_id}}', to_jsonb(new.id)), '{{actor_name}}', to_jsonb({task}))"
    for _ in range(max(1, count // 500_000)):
        then = "clock_timestamp() - new.n * interval '1 second'"
        times = dict.fromkeys(("run_at", "created_on", "claimed_on", "started_on", "completed_on"), then)
        ours.multiply(up.conn, job, min(count, 500_000), message=message, **times)
        time.sleep(0)


def _cost(one: Drain) -> str:
    return f"CPU per job: workers {one.client:.0f} µs, server {one.server:.0f} µs"


def _row(measure: str, what: str, drains: list[Drain], others: list[Drain], goal: float) -> Row:
    middle = drain.median(drains)
    share = ratio([d.rate for d in drains], [d.rate for d in others])
    rounds = tuple(d.rate for d in drains)
    target = f"≥ {goal:g}"
    return Row(
        measure,
        what,
        middle.rate,
        rounds=rounds,
        ratio=share,
        against="without",
        target=target,
        reached=share >= goal,
        note=_cost(middle),
    )
