"""The summary of a backtest names the largest changes, in any part of the jobs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from zeke_jobs.cli.configuration.backtest_report import headline


def answer(**waits: tuple[float, float]) -> Any:
    def run(at: int) -> Any:
        task = SimpleNamespace(left=0, **{f"wait_{name}": pair[at] for name, pair in waits.items()})
        return SimpleNamespace(tasks={"pull": task}, breaches=0, cost=None)

    return SimpleNamespace(today=run(0), proposed=run(1))


@pytest.mark.parametrize(
    ("waits", "line"),
    [
        ({"p50": (0.6, 4.2), "p95": (9.0, 9.1), "p99": (9.0, 9.1)}, "pull: p50 of the wait 600ms → 4.2s"),
        ({"p50": (0.6, 4.2), "p95": (1.0, 9.0), "p99": (9.0, 9.1)}, "pull: p95 of the wait 1.0s → 9.0s"),
        ({"p50": (0.1, 0.1), "p95": (1.0, 1.0), "p99": (1.0, 9.0)}, "pull: p99 of the wait 1.0s → 9.0s"),
        ({"p50": (0.6, 0.61), "p95": (1.0, 1.0), "p99": (1.0, 1.0)}, "no task would wait noticeably longer or shorter"),
    ],
)
def test_a_wait_that_changes_is_named(waits: dict[str, tuple[float, float]], line: str) -> None:
    assert headline(answer(**waits)) == [line]
