"""Draining tasks with a limit, and whether more jobs ever ran at once."""

from typing import Any

from psycopg2.extensions import connection as Connection

from tests.fleet import scalar
from tests.lab.bench import drain, ours
from tests.lab.bench.bench import Bench
from tests.lab.bench.drain import Drain, Running
from tests.lab.bench.result import Row

_FREE, _WIDE, _NARROW = ours.FREE, "generate-brief", "analyze-story"
_LIMITS = {_WIDE: 64, _NARROW: 16}
#: Share of the rate without a limit, for jobs of so many milliseconds. Sixteen threads run them all.
_LEAST = {0: 0.4, 5: 0.5, 20: 0.85, 50: 0.97}


def measure(bench: Bench) -> list[Row]:
    """With a limit of 16 and without one, jobs of 0, 5, 20 and 50 ms in turns on the same 16 threads; and a limit of 64."""
    nap = {"handler": f"{ours.HANDLERS}:nap"}
    limits: dict[str, dict[str, Any]] = {task: {"concurrency": limit, **nap} for task, limit in _LIMITS.items()}
    rows = []
    with bench.running(bench.installation("limited", ours.jobs_yaml({**limits, _FREE: nap}))) as up:
        for length, least in _LEAST.items():
            payload = {"seconds": length / 1000}
            kinds = {task: {"task": task, "payload": payload} for task in (_FREE, _NARROW, *([_WIDE] * (not length)))}
            drains = in_turns(bench, up, kinds)
            jobs = f"jobs of {length} ms"
            rows.append(drain.row(f"no limit, {jobs}", drains[_FREE]))
            for task in list(kinds)[1:]:
                what = f"limit {_LIMITS[task]}, {jobs}"
                rows.append(drain.row(what, drains[task], drains[_FREE], "no limit", least))
        for task, limit in _LIMITS.items():
            over = overshoot(up.conn, task, limit)
            assert over == 0, f"expected at most {limit} jobs of {task} at once, got {over} more"
    return rows


def in_turns(bench: Bench, up: Running, kinds: dict[str, dict[str, Any]]) -> dict[str, list[Drain]]:
    """Bursts of each kind, one after the other, again and again."""
    counts = {name: up.sized(bench.seconds, 200, **kind) for name, kind in kinds.items()}
    drains: dict[str, list[Drain]] = {name: [] for name in kinds}
    for _ in range(bench.rounds):
        for name, kind in kinds.items():
            drains[name].append(up.drain(counts[name], **kind))
    return drains


def overshoot(conn: Connection, task: str, limit: int) -> int:
    """How many more than ``limit`` jobs of a task were held at the same time, by the times in their rows."""
    sql = """SELECT coalesce(max(held), 0) FROM (
        SELECT sum(step) OVER (ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS held FROM (
          SELECT claimed_on AS at, 1 AS step FROM zeke_jobs.queue WHERE task = %s AND state = 'done'
          UNION ALL
          SELECT completed_on, -1 FROM zeke_jobs.queue WHERE task = %s AND state = 'done'
        ) AS steps) AS sums"""
    return max(0, int(scalar(conn, sql, task, task)) - limit)
