"""The cost of jobs that belong together: a batch that counts its jobs, and keys whose jobs run in strict order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lab.bench import drain, ours, server
from tests.lab.bench.bench import ratio
from tests.lab.bench.result import Row

if TYPE_CHECKING:
    from tests.lab.bench.bench import Bench
    from tests.lab.bench.drain import Drain

BATCH = "batch"
ORDER = "strict-order"
_KEYS = 10_000
_KEYED, _STRICT = "fetch-content", "analyze-story"


def batch(bench: Bench) -> list[Row]:
    """The same jobs without a batch, and as one batch, in turns."""
    count = 20_000 if bench.quick else 100_000
    free: list[Drain] = []
    counted: list[Drain] = []
    with bench.running(bench.installation("batch", ours.jobs_yaml({ours.FREE: {}}))) as up:
        up.drain(2_000)
        for turn in range(bench.rounds):
            free.append(up.drain(count))
            name = f"b{turn}"
            server.run(up.conn, "SELECT zeke_jobs.open_batch(%s)", name)
            counted.append(up.drain(count, instead={"batch": f"'{name}'"}))
            server.run(up.conn, "SELECT zeke_jobs.close_batch(%s)", name)
            (row,) = server.rows(up.conn, "SELECT state, completed FROM zeke_jobs.batch_state WHERE id = %s", name)
            assert row == ("ended", count - 1), row  # all but the first, which the others are copies of
    return _rows(BATCH, f"{count:,} jobs", free, counted, 0.8)


def order(bench: Bench) -> list[Row]:
    """Jobs of ten thousand keys, one at a time of each key, and in strict order, in turns."""
    count = 20_000 if bench.quick else 60_000
    changed: dict[str, dict[str, Any]] = {_KEYED: {"concurrency": {"per_key": 1}}, _STRICT: {"order": "strict"}}
    rates: dict[str, list[Drain]] = {_KEYED: [], _STRICT: []}
    keys = {"key": f"'k' || mod(new.n, {_KEYS})"}
    with bench.running(bench.installation("ordered", ours.jobs_yaml(changed))) as up:
        for _ in range(bench.rounds):
            for task, drains in rates.items():
                drains.append(up.drain(count, tasks=(task,), instead=keys))
    return _rows(ORDER, f"{count:,} jobs of {_KEYS:,} keys", rates[_KEYED], rates[_STRICT], 0.7)


def _rows(measure: str, what: str, usual: list[Drain], other: list[Drain], least: float) -> list[Row]:
    rates = [one.rate for one in usual], [one.rate for one in other]
    found = ratio(rates[1], rates[0])
    medians = drain.median(usual).rate, drain.median(other).rate
    return [
        Row(
            measure,
            what,
            medians[1],
            rounds=tuple(rates[1]),
            ratio=found,
            against=f"{medians[0]:,.0f}/s without",
            target=f"≥ {least}",
            reached=found >= least,
        )
    ]
