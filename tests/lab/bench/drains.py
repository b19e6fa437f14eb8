"""These measures show how fast bursts of jobs are finished: beside other queues, with limits, and in bad conditions."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from typing import Any

from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import query, scalar
from tests.lab.bench import dramatiq_peer, ours
from tests.lab.bench.bench import Bench, Drain, row
from tests.lab.bench.ours import FREE, NAP
from tests.lab.server import Row, middle, say
from zeke_jobs.postgres.pool import connect

OURS, DRAMATIQ = "zeke_jobs", "dramatiq_pg"
_NARROW, _WIDE = "analyze-story", "generate-brief"
_LIMITS = {_WIDE: 64, _NARROW: 16}
#: The keys are milliseconds per job, and the values the least share of the rate without a limit. Sixteen threads run
#: all jobs.
_LEAST = {0: 0.4, 5: 0.5, 20: 0.85, 50: 0.97}
_LEAST_SENT = {(DRAMATIQ, 1): 1.4, ("pgqueuer", 1): 1.0, (DRAMATIQ, 8): 1.4, ("pgqueuer", 8): 1.2}
_SIZES = (1, 2, 4, 8, 16)  # The sizes are numbers of worker processes with eight threads each.
_LIMIT = 64
_KEYED = "fetch-content"  # The task runs one job per key.
_ONE = "dedupe-insights"  # The task runs one job at a time.
_PAUSED = "extract-highlights"
_MOST_SEEDED = 2_000_000


def drain_unlimited(bench: Bench) -> list[Row]:
    """Measure zeke_jobs first and last, so that a changing load of the machine is visible."""

    def drains(system: Any) -> list[Drain]:
        with bench.running(system) as up:
            count = up.sized(bench.seconds)
            return [up.drain(count) for _ in range(bench.rounds)]

    mine = drains(bench.installation({FREE: {}}))
    theirs = drains(dramatiq_peer.System(bench.database("dramatiq")))
    mine += drains(bench.installation({FREE: {}}))
    return [row(OURS, mine), row(DRAMATIQ, theirs), row(f"{OURS} / {DRAMATIQ}", mine, theirs, DRAMATIQ)]


def drain_limited(bench: Bench) -> list[Row]:
    """Run jobs of 0, 5, 20 and 50 ms on the same threads, with no limit and at most 16 at once; of 0 ms also at most 64."""
    limits: dict[str, dict[str, Any]] = {task: {"concurrency": limit, **NAP} for task, limit in _LIMITS.items()}
    rows = []
    with bench.running(bench.installation({**limits, FREE: NAP})) as up:
        for length, least in _LEAST.items():
            payload = {"seconds": length / 1000}
            kinds = {task: {"task": task, "payload": payload} for task in (FREE, _NARROW, *([_WIDE] * (not length)))}
            drains = bench.in_turns(up, kinds)
            rows.append(row(f"no limit, jobs of {length} ms", drains[FREE]))
            for task in list(kinds)[1:]:
                what = f"limit {_LIMITS[task]}, jobs of {length} ms"
                rows.append(row(what, drains[task], drains[FREE], "no limit", least))
        for task, limit in _LIMITS.items():
            over = overshoot(up.conn, task, limit)
            assert over == 0, f"expected at most {limit} jobs of {task} at once, got {over} more"
    return rows


def overshoot(conn: Connection, task: str, limit: int) -> int:
    """Return by how many active jobs a task exceeded ``limit``, according to the recorded times."""
    sql = """SELECT coalesce(max(held), 0) FROM (
        SELECT sum(step) OVER (ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS held FROM (
          SELECT claimed_on AS at, 1 AS step FROM zeke_jobs.queue WHERE task = %s AND state = 'done'
          UNION ALL
          SELECT completed_on, -1 FROM zeke_jobs.queue WHERE task = %s AND state = 'done'
        ) AS steps) AS sums"""
    return max(0, int(scalar(conn, sql, task, task)) - limit)


def log_lines(bench: Bench) -> list[Row]:
    """Compare jobs that each log five lines, alternately with ``log: never``, ``log: failed`` and ``log: always``."""
    talk = {"handler": f"{ours.HANDLERS}:talk"}
    tasks = {"fetch-content": "never", "analyze-story": "failed", "ingest-pull": "always"}
    with bench.running(bench.installation({task: {**talk, "log": log} for task, log in tasks.items()})) as up:
        never, failed, always = bench.in_turns(up, {task: {"task": task} for task in tasks}).values()
    return [
        row("five lines a job, log: never", never),
        row("five lines a job, log: failed", failed, never, "never", 0.9),
        row("five lines a job, log: always", always, never, "never"),
    ]


def processes(bench: Bench) -> list[Row]:
    """Measure fleets of rising and then falling size, so that changes in the machine's load affect all sizes."""
    kinds = {"no limit": FREE, f"limit {_LIMIT}": _NARROW}
    installation = bench.installation({FREE: {}, _NARROW: {"concurrency": _LIMIT}})
    rates: dict[tuple[str, int], list[float]] = {}
    for size in (*_SIZES, *reversed(_SIZES)):
        with bench.running(installation, keep=True, processes=size) as up:
            for kind, task in kinds.items():
                count = up.sized(bench.seconds / 2, 2_000, task=task)
                drains = [up.drain(count, task=task) for _ in range(bench.rounds)]
                rates.setdefault((kind, size), []).extend(one.rate for one in drains)
            over = overshoot(up.conn, _NARROW, _LIMIT)
    bench.server.drop(installation.url)
    rows = []
    for kind in kinds:
        best = max((rates[kind, size] for size in _SIZES[:-1]), key=statistics.median)
        for size in _SIZES:
            note, least = f"overshoot {over}", 0.8 if size == _SIZES[-1] else None
            what, against = f"{kind}, {size} processes", "the best of the smaller fleets"
            rows.append(middle(what, rates[kind, size], best, against=against, note=note, least=least))
    return rows


def drain_held_transaction(bench: Bench) -> list[Row]:
    """Measure the same work twice, once while another transaction stays open."""
    seconds = 6.0 if bench.quick else 60.0
    with bench.running(bench.installation({FREE: {}})) as up:
        up.sized(1.0, 2_000)
        count = min(_MOST_SEEDED, int(up.drain(20_000).rate * seconds))
        say(f"{count:,} jobs")
        free = up.drain(count)
        with closing(connect(up.system.url)) as other:
            query(other, "BEGIN ISOLATION LEVEL REPEATABLE READ")
            scalar(other, "SELECT pg_current_xact_id()::text")
            held = up.drain(count)
    what = f"a drain of about {seconds:g} s"
    return [row(what, [free]), row(f"{what}, a transaction open", [held], [free], "without", 0.6)]


def drain_blocked(bench: Bench) -> list[Row]:
    """Measure how fast jobs end behind many jobs that are blocked by a key, a reached limit or a pause."""
    many = 200_000 if bench.quick else 1_000_000
    changed: dict[str, dict[str, Any]] = {
        FREE: {},
        _KEYED: {"concurrency": {"per_key": 1}, **NAP, "timeout": "1h"},
        _ONE: {"concurrency": 1, **NAP, "timeout": "1h"},
        _PAUSED: {},
    }
    keys = {"task": _KEYED, "key": "a", "instead": {"key": "'a' || mod(new.n, 1000)"}, "which": "key < 'b'"}
    with bench.running(bench.installation(changed)) as up:
        count, keyed = up.sized(bench.seconds, 2_000), up.sized(bench.seconds, 2_000, **keys)
        empty = [up.drain(count) for _ in range(bench.rounds)]
        empty_keyed = [up.drain(keyed, **keys) for _ in range(bench.rounds)]
        rows = [row("empty table", empty), row("empty table, 1,000 keys", empty_keyed)]
        query(up.conn, "INSERT INTO zeke_jobs.pause (target, paused_by) VALUES (%s, 'bench')", f"task/{_PAUSED}")
        for what, task, key in (("a pause", _PAUSED, None), ("a limit", _ONE, None), ("their key", _KEYED, "z")):
            holder = None
            if task != _PAUSED:  # A long job takes the place of the limit or of the key.
                holder = zeke_jobs.send(task, {"seconds": 3000}, key=key, connection=up.conn).id
                up.fleet.until(lambda: scalar(up.conn, "SELECT true FROM zeke_jobs.queue WHERE state = 'consumed'"))
            up.system.seed(up.conn, many, task=task, key=key, instead={"key": f"'{key}'"} if key else {})
            say(f"{many:,} jobs are blocked by {what}")
            drains = [up.drain(keyed if key else count, **(keys if key else {})) for _ in range(bench.rounds)]
            others = empty_keyed if key else empty
            rows.append(row(f"past {many:,} blocked by {what}", drains, others, "empty table", 0.6))
            up.system.clear(up.conn)
            if holder:
                zeke_jobs.cancel(holder, connection=up.conn)
    return rows


def send_threads(bench: Bench) -> list[Row]:
    """Let one thread and then eight threads send; each job is durable before its thread sends the next.

    The systems take short turns, because the disk's flush time matters much and changes from second to second.
    """
    systems: dict[str, Any] = {OURS: bench.installation({FREE: {}})}
    systems[DRAMATIQ] = dramatiq_peer.System(bench.database("dramatiq"))
    try:
        systems["pgqueuer"] = PgQueuer(bench.database("pgqueuer"))
    except ModuleNotFoundError as error:
        say(f"pgqueuer: not installed ({error.name})")
    figures: dict[tuple[str, int], list[float]] = {}
    for _ in range(bench.rounds * 4):
        for count in (1, 8):
            for name, system in systems.items():
                figures.setdefault((name, count), []).append(system.send_rate(bench.seconds / 5, count))
    for system in systems.values():
        bench.server.drop(system.url)
    rows = []
    for (name, count), rates in figures.items():
        threads = f"{count} thread{'s' * (count > 1)}"
        rows.append(middle(f"{name}, {threads}", rates))
        if least := _LEAST_SENT.get((name, count)):
            what = f"{OURS} / {name}, {threads}"
            rows.append(middle(what, figures[OURS, count], rates, against=name, least=least))
    return rows


class PgQueuer:
    """pgqueuer sends with asyncpg, one connection for each concurrent sender."""

    def __init__(self, url: str) -> None:
        self.url = url
        asyncio.run(self._use(1, lambda queries: queries.install()))

    async def _use(self, at_once: int, use: Callable[[Any], Awaitable[Any]]) -> None:
        import asyncpg  # type: ignore[import-not-found, import-untyped, unused-ignore] # only in the bench's environment
        from pgqueuer.db import AsyncpgDriver  # type: ignore[import-not-found, unused-ignore]
        from pgqueuer.queries import Queries  # type: ignore[import-not-found, unused-ignore]

        async with AsyncExitStack() as stack:
            connections = [await asyncpg.connect(self.url) for _ in range(at_once)]
            for connection in connections:
                stack.push_async_callback(connection.close)
            await asyncio.gather(*(use(Queries(AsyncpgDriver(connection))) for connection in connections))

    def send_rate(self, seconds: float, at_once: int) -> float:
        sent = 0
        ends: list[float] = []

        async def send(queries: Any) -> None:
            nonlocal sent
            await queries.enqueue("no_op", b"{}")
            begin = time.perf_counter()
            while time.perf_counter() < begin + seconds:
                await queries.enqueue("no_op", b'{"n": %d}' % sent)
                sent += 1
            ends.append(time.perf_counter() - begin)

        asyncio.run(self._use(at_once, send))
        return sent / max(ends)
