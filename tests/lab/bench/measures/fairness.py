"""Whether a claimed job waits behind a busy thread while another worker has a free one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.lab.bench import drain, ours, server
from tests.lab.bench.result import Row

if TYPE_CHECKING:
    from tests.lab.bench.bench import Bench, Running

MEASURE = "claimed-ahead"
_LONG = "generate-brief"
_THREADS = 8
Span = tuple[float, float]


def measure(bench: Bench) -> list[Row]:
    """Bursts of jobs of a second, fewer than there are threads, and more: by themselves, and right after jobs of no time."""
    changed = {ours.FREE: {}, _LONG: {"handler": f"{ours.HANDLERS}:nap"}}
    waits: dict[str, list[float]] = {"jobs of 1 s alone": [], "jobs of 1 s after no-op jobs": []}
    with bench.running(bench.installation("ahead", ours.jobs_yaml(changed))) as up:
        for what, found in waits.items():
            for _ in range(1 if bench.quick else bench.rounds):
                for count in (12, 24, 40):
                    if "no-op" in what:  # which teach the workers to claim ahead
                        up.drain(5_000)
                    found.extend(_waits(up, count))
    rows = []
    for what, found in waits.items():
        p99 = sorted(found)[int(len(found) * 0.99)] * 1e3
        note = f"{len(found)} jobs; {sum(wait > 0.25 for wait in found)} waited longer than 250 ms, at most {max(found) * 1e3:.0f}"
        bench.say(f"{what}: claimed while another worker had a free thread, p99 {p99:.0f} ms; {note}")
        rows.append(Row(MEASURE, f"{what}, p99", p99, "ms", target="≤ 250", reached=p99 <= 250, note=note))
    return rows


def _waits(up: Running, count: int) -> list[float]:
    kind = {"tasks": (_LONG,), "payload": {"seconds": 1.0}}
    since = server.scalar(up.conn, "SELECT clock_timestamp()")
    up.system.seed(up.conn, count, **kind)
    drain.eventually(lambda: not up.system.left(up.conn, **kind), up.fleet)
    sql = """SELECT extract(epoch FROM claimed_on)::double precision, (result ->> 'start')::double precision,
        (result ->> 'end')::double precision, (result ->> 'pid')::integer
        FROM zeke_jobs.queue WHERE task = %s AND state = 'done' AND created_on >= %s"""
    jobs = server.rows(up.conn, sql, _LONG, since)
    pids = {row[0] for row in server.rows(up.conn, "SELECT pid FROM zeke_jobs.worker")}
    ran: dict[int, list[Span]] = defaultdict(list)
    for _, start, end, pid in jobs:
        ran[pid].append((start, end))
    return [
        overlap((claimed, start), [free(ran[other], _THREADS) for other in pids - {pid}])
        for claimed, start, _, pid in jobs
    ]


def free(spans: list[Span], threads: int) -> list[Span]:
    """The times in which fewer than ``threads`` of the spans run."""
    steps = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    found, busy, since = [], 0, float("-inf")
    for at, step in steps:
        if busy < threads:
            found.append((since, at))
        busy += step
        since = at
    return [*found, (since, float("inf"))]


def overlap(wait: Span, others: list[list[Span]]) -> float:
    """Seconds of a wait in which at least one of the others was free."""
    pieces = sorted(
        (max(wait[0], start), min(wait[1], end))
        for spans in others
        for start, end in spans
        if start < wait[1] and end > wait[0]
    )
    total, reached = 0.0, wait[0]
    for start, end in pieces:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
