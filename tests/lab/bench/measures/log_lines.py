"""The cost of log lines: handlers that log five lines, which `log` keeps with their jobs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lab.bench import drain, ours
from tests.lab.bench.bench import ratio
from tests.lab.bench.result import Row

if TYPE_CHECKING:
    from tests.lab.bench.bench import Bench
    from tests.lab.bench.drain import Drain

MEASURE = "log-lines"
_SILENT, _FORGOTTEN, _DEFAULT, _KEPT = "score-relevance", "fetch-content", "analyze-story", "ingest-pull"


def measure(bench: Bench) -> list[Row]:
    """Jobs that log nothing, and jobs that complete and log five lines, under each value of `log`, in turns."""
    count = 10_000 if bench.quick else 30_000
    talk = {"handler": f"{ours.HANDLERS}:talk"}
    changed: dict[str, dict[str, Any]] = {
        _SILENT: {},
        _FORGOTTEN: {**talk, "log": "never"},
        _DEFAULT: talk,
        _KEPT: {**talk, "log": "always"},
    }
    drains: dict[str, list[Drain]] = {name: [] for name in changed}
    with bench.running(bench.installation("logging", ours.jobs_yaml(changed))) as up:
        up.drain(2_000)
        for _ in range(bench.rounds):
            for task, found in drains.items():
                found.append(up.drain(count, tasks=(task,)))
    return [
        _row("nothing logged", drains[_SILENT], drains[_SILENT]),
        _row("five lines a job, log: never", drains[_FORGOTTEN], drains[_SILENT]),
        _row("five lines a job, log: failed", drains[_DEFAULT], drains[_FORGOTTEN]),
        _row("five lines a job, log: always", drains[_KEPT], drains[_FORGOTTEN]),
    ]


def _row(what: str, drains: list[Drain], others: list[Drain]) -> Row:
    rates, middle, usual = [one.rate for one in drains], drain.median(drains), drain.median(others).rate
    return Row(
        MEASURE,
        what,
        middle.rate,
        rounds=tuple(rates),
        ratio=None if drains is others else ratio(rates, [one.rate for one in others]),
        against="" if drains is others else f"{usual:,.0f}/s in the row above",
        note=f"CPU per job: workers {middle.client:.0f} µs, server {middle.server:.0f} µs",
    )
