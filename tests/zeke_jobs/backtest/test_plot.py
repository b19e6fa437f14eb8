import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest import load_file, plot
from zeke_jobs.backtest.comparing import Backtest, Proposal, rehearsal
from zeke_jobs.backtest.workload import Fleet
from zeke_jobs.errors import ConfigurationError

LOAD = "version: 1\nlength: 4h\ntasks:\n  a: {hourly: [60, 200], takes: 20s}\n  b: {rate: 30/h, takes: {least: 1s, most: 5m}}"
TASKS = "  a: {{handler: 'H:echo', concurrency: {}, max_wait: 5m}}\n  b: {{handler: 'H:echo', concurrency: 2}}"


def answer() -> Backtest:
    today = load(TASKS.format(2))
    described = load_file.load_text(LOAD, "load.yaml", today)
    return rehearsal(described, today, Proposal(load(TASKS.format(1))), Fleet(), datetime(2026, 3, 10, 8, tzinfo=UTC))


def test_queues_and_waits_are_drawn_and_named(tmp_path: Path) -> None:
    plot.draw(answer(), tmp_path / "out.svg")
    drawn = (tmp_path / "out.svg").read_text()
    for text in ("due jobs that wait", "95th percentile", "today", "proposed", "max_wait", "UTC", "min"):
        assert f"<!-- {text}" in drawn or f">{text}" in drawn or text in drawn


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ConfigurationError, match=r"expected matplotlib to draw with, got none(?s:.*)pip install (?:-e )?'\S+\[plot\]'"
    ):
        plot.check(tmp_path / "out.png")


@pytest.mark.parametrize(
    ("name", "said"), [("out.gif", "expected a picture that ends in"), ("no/out.png", "expected a folder")]
)
def test_what_cannot_be_drawn_is_refused_before_the_work(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        plot.check(tmp_path / name)
