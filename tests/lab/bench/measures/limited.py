"""Draining tasks with a limit, and whether more jobs ever ran at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lab.bench import drain, ours, server
from tests.lab.bench.bench import Bench, Running, ratio
from tests.lab.bench.result import Row
from zeke_jobs import config

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.drain import Drain

MEASURE = "drain-limited"
ALL_TASKS = "drain-13-tasks"
_NAP = 0.005  # seconds


def measure(bench: Bench) -> list[Row]:
    """Unlimited and limited bursts in turns, on the same workers."""
    limited = {"generate-brief": 64, "analyze-story": 16, "story-summarize": 16}
    changed: dict[str, dict[str, Any]] = {task: {"concurrency": limit} for task, limit in limited.items()}
    changed["story-summarize"]["handler"] = f"{ours.HANDLERS}:nap"
    changed["ingest-source"] = {"handler": f"{ours.HANDLERS}:nap"}
    installation = bench.installation("limited", ours.jobs_yaml({**changed, ours.FREE: {}}))
    kinds: dict[str, dict[str, Any]] = {
        "unlimited": {"tasks": (ours.FREE,)},
        "limit 64, no-op": {"tasks": ("generate-brief",)},
        "limit 16, no-op": {"tasks": ("analyze-story",)},
        "no limit, 5 ms": {"tasks": ("ingest-source",), "payload": {"seconds": _NAP}},
        "limit 16, 5 ms": {"tasks": ("story-summarize",), "payload": {"seconds": _NAP}},
    }
    with bench.running(installation) as up:
        drains = in_turns(bench, up, kinds)
        over = {task: overshoot(up.conn, task, limit) for task, limit in limited.items()}
    free = [d.rate for d in drains["unlimited"]]
    ideal = 16 / _NAP
    rows = [Row(MEASURE, "unlimited", drain.median(drains["unlimited"]).rate, rounds=tuple(free))]
    for what, task, goal in (("limit 64, no-op", "generate-brief", 0.75), ("limit 16, no-op", "analyze-story", 0.4)):
        rows.append(_row(MEASURE, what, drains[what], free, goal, over[task]))
    unbound = drain.median(drains["no limit, 5 ms"])
    note = "what 16 threads do here"
    rounds = tuple(d.rate for d in drains["no limit, 5 ms"])
    rows.append(
        Row(
            MEASURE,
            "no limit, jobs of 5 ms",
            unbound.rate,
            rounds=rounds,
            ratio=unbound.rate / ideal,
            against="16 / 5 ms",
            note=note,
        )
    )
    naps = drain.median(drains["limit 16, 5 ms"])
    reached = naps.rate >= 0.9 * ideal and over["story-summarize"] == 0
    rows.append(
        Row(
            MEASURE,
            "limit 16, jobs of 5 ms",
            naps.rate,
            rounds=tuple(d.rate for d in drains["limit 16, 5 ms"]),
            ratio=naps.rate / ideal,
            against="16 / 5 ms",
            target="≥ 0.9, overshoot 0",
            reached=reached,
            note=f"overshoot {over['story-summarize']}; 16 threads in all",
        )
    )
    return rows


def all_tasks(bench: Bench) -> list[Row]:
    """Thirteen tasks in turns: without limits, each with a limit of 64, and with those of the real jobs.yaml."""
    kinds = {"13 tasks": {"tasks": tuple(_names())}}
    drains: dict[str, list[Drain]] = {}
    rows = []
    free = bench.installation("all_free", ours.jobs_yaml({}, every={}))
    each = bench.installation("all_limited", ours.jobs_yaml({}, every={"concurrency": 64}))
    real = bench.installation("all_real", ours.jobs_yaml({}))
    with bench.running(free) as up:
        drains["unlimited"] = in_turns(bench, up, kinds)["13 tasks"]
    with bench.running(each) as up:
        drains["each limited to 64"] = in_turns(bench, up, kinds)["13 tasks"]
        over = max(overshoot(up.conn, task, 64) for task in _names())
    rates = [d.rate for d in drains["unlimited"]]
    rows.append(Row(ALL_TASKS, "13 tasks, no limits", drain.median(drains["unlimited"]).rate, rounds=tuple(rates)))
    rows.append(_row(ALL_TASKS, "13 tasks, each limited to 64", drains["each limited to 64"], rates, 0.8, over))
    with bench.running(real) as up:
        # The tasks with a limit of one take longest, so only the time in which all have work is looked at.
        figures = [_window(up, bench.seconds) for _ in range(bench.rounds)]
        limits = _limits()
        over = max(overshoot(up.conn, task, limit) for task, limit in limits.items())
    what = f"13 tasks, limits of jobs.yaml ({sum(limits.values())} in all)"
    rows.append(_row(ALL_TASKS, what, figures, rates, 0.8, over))
    return rows


def in_turns(bench: Bench, up: Running, kinds: dict[str, dict[str, Any]]) -> dict[str, list[Drain]]:
    """Bursts of each kind, one after the other, again and again."""
    counts = {name: up.sized(bench.seconds, 2_000, **kind) for name, kind in kinds.items()}
    drains: dict[str, list[Drain]] = {name: [] for name in kinds}
    for _ in range(bench.rounds):
        for name, kind in kinds.items():
            drains[name].append(up.drain(counts[name], **kind))
    for name in kinds:
        bench.say(f"{name}: {counts[name]:,} jobs, {drain.median(drains[name]).rate:,.0f}/s")
    return drains


def overshoot(conn: Connection, task: str, limit: int) -> int:
    """How many more than ``limit`` jobs of a task were held at the same time, by the times in their rows."""
    sql = """SELECT coalesce(max(held), 0) FROM (
        SELECT sum(step) OVER (ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS held FROM (
          SELECT claimed_on AS at, 1 AS step FROM zeke_jobs.queue WHERE task = %s AND state = 'done'
          UNION ALL
          SELECT completed_on, -1 FROM zeke_jobs.queue WHERE task = %s AND state = 'done'
        ) AS steps) AS sums"""
    return max(0, int(server.scalar(conn, sql, task, task)) - limit)


def _names() -> list[str]:
    return list(config.load_text(ours.jobs_yaml({}), "jobs.yaml").tasks)


def _limits() -> dict[str, int]:
    tasks = config.load_text(ours.jobs_yaml({}), "jobs.yaml").tasks
    return {name: task.concurrency.limit for name, task in tasks.items() if task.concurrency and task.concurrency.limit}


def _window(up: Running, seconds: float) -> Drain:
    return drain.window(up.system, up.fleet, up.conn, up.server, 130_000, seconds, tasks=tuple(_names()))


def _row(measure: str, what: str, drains: list[Drain], free: list[float], goal: float, over: int) -> Row:
    middle = drain.median(drains)
    share = ratio([d.rate for d in drains], free)
    return Row(
        measure,
        what,
        middle.rate,
        rounds=tuple(d.rate for d in drains),
        ratio=share,
        against="unlimited",
        target=f"≥ {goal:g}, overshoot 0",
        reached=share >= goal and over == 0,
        note=f"overshoot {over}; CPU per job: workers {middle.client:.0f} µs, server {middle.server:.0f} µs",
    )
