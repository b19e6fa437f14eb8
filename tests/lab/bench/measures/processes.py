"""Draining by 1, 2, 4, 8 and 16 worker processes of eight threads, with and without limits."""

import statistics
from functools import partial
from typing import Any

from tests.lab.bench import ours, result
from tests.lab.bench.bench import Bench
from tests.lab.bench.measures.limited import overshoot
from tests.lab.bench.result import Row

_SIZES = (1, 2, 4, 8, 16)
_LIMITED = "analyze-story"
_LIMIT = 64


def measure(bench: Bench) -> list[Row]:
    """Up and down again, so that a machine whose load changes touches all sizes: sixteen beside the best of the smaller fleets."""
    kinds = {"no limit": ours.FREE, f"limit {_LIMIT}": _LIMITED}
    installation = bench.installation("fleets", ours.jobs_yaml({ours.FREE: {}, _LIMITED: {"concurrency": _LIMIT}}))
    rates: dict[tuple[str, int], list[float]] = {}
    for size in (*_SIZES, *reversed(_SIZES)):
        with bench.running(installation, keep=True, processes=size) as up:
            for kind, task in kinds.items():
                count = up.sized(bench.seconds / 2, 2_000, task=task)
                drains = [up.drain(count, task=task) for _ in range(bench.rounds)]
                rates.setdefault((kind, size), []).extend(one.rate for one in drains)
            over = overshoot(up.conn, _LIMITED, _LIMIT)
    bench.server.drop(installation.url)
    rows = []
    for kind in kinds:
        best = max((rates[kind, size] for size in _SIZES[:-1]), key=statistics.median)
        for size in _SIZES:
            row = partial(result.middle, f"{kind}, {size} processes", rates[kind, size])
            more: dict[str, Any] = {"least": 0.8} if size == _SIZES[-1] else {}
            rows.append(row(best, against="the best of the smaller fleets", note=f"overshoot {over}", **more))
    return rows
