import re
import sys
from pathlib import Path

import pytest

from tests.zeke_jobs.backtest.conftest import Story
from tests.zeke_jobs.commands import Cli
from zeke_jobs.backtest import comparing

TIME = ("--from", "2026-03-10T12:00", "--to", "2026-03-10T13:00")


def test_a_recorded_hour_tells_what_a_change_would_have_done_and_what_could_be_carried(story: Story, cli: Cli) -> None:
    story.use("  a: {handler: 'H:echo', concurrency: 2, max_wait: 1m}")
    for minute in range(60):
        story.job("a", sent=60 * minute, start=60 * minute, end=60 * minute + 50)
    story.at(7200)
    answer = cli("backtest", *TIME, "--load", "3x", "--set", "a.concurrency=1", "--json").json
    today, proposed = (answer[side]["tasks"]["a"] for side in ("today", "proposed"))
    assert (today["jobs"], today["breaches"], proposed["jobs"]) == (60, 0, 180)
    assert round(today["utilisation"], 2) == 0.42  # The limit is used to 42 %.
    assert proposed["breaches"] > 100
    assert answer["proposed"]["limits"]["task/a"]["utilisation"] > 0.95
    shown = cli("backtest", *TIME, "--set", "a.concurrency=1", "--workers", "1x4", "--load", "1.5x").out
    assert "60 jobs from 2026-03-10 12:00:00 UTC to 2026-03-10 13:00:00 UTC" in shown
    for words in ("a: p95 of the wait", "confidence: fair", "only 60 jobs were recorded"):
        assert words in shown
    shown = cli("capacity", *TIME, "--workers", "1x4").out
    assert "3,456 jobs a day, 2.4 times as many as were sent; then task/a is used up" in shown
    answer = cli("capacity", *TIME, "--set", "a.concurrency=4", "--workers", "1x3", "--json").json
    assert (answer["runs_out"], round(answer["carries"], 1)) == ("threads", 3.6)


def test_what_makes_no_sense_is_refused(story: Story, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--spec FILE" in cli("backtest").err, "without a revision it says what else there is"
    story.use("  a: {handler: 'H:echo'}")
    story.job("a", sent=0, start=1, end=2)
    for arguments, said in (
        (["--load", "much"], "expected a load such as 3x or 0.5x, got 'much'"),
        (["--load", "0x"], "expected a load such as 3x or 0.5x, got '0x'"),
        (["--workers", "8"], "expected workers as PROCESSESxTHREADS, such as 2x8, got '8'"),
        (["--set", "b.concurrency=1"], "expected TASK.KEY=VALUE"),
        (["--set", "a.concurency=1"], "concurency"),
        (["--from", "2026-03-10T13:00", "--to", "2026-03-10T12:00"], "expected --from before --to"),
        (["--from", "2025-03-10", "--to", "2025-03-11"], "expected recorded jobs"),
        (["--plot", "out.gif"], "expected a picture that ends in"),
        (["--plot", "no/such/out.png"], "expected a folder"),
    ):
        ran = cli("backtest", *arguments)
        assert (ran.status, said in ran.err) == (2, True), said
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = cli("backtest", "--plot", "out.png")
    assert re.search(r"expected matplotlib to draw with, got none(?s:.*)pip install (?:-e )?'\S+\[plot\]'", ran.err)


def test_a_described_load_needs_no_database_and_is_plotted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    file, spec, picture = tmp_path / "jobs.yaml", tmp_path / "load.yaml", tmp_path / "out.svg"
    file.write_text("version: 1\ntasks:\n  a: {handler: 'no.such:thing', concurrency: 2, max_wait: 5m}\n")
    spec.write_text("version: 1\nlength: 2h\ntasks:\n  a: {rate: 60/h, takes: 1m}\n")
    words = ["backtest", "--spec", spec, "--file", file, "--set", "a.concurrency=1", "--from", "2026-03-10"]
    first = cli(*words, "--plot", picture, "--json").json
    assert first["proposed"]["limits"]["task/a"]["utilisation"] > 0.7
    assert cli(*words, "--json").json == first
    drawn = picture.read_text()
    for text in ("due jobs that wait", "95th percentile", "today", "proposed", "max_wait", "UTC", "min"):
        assert text in drawn


def test_a_plan_says_what_the_change_would_have_done(
    story: Story, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "ENOUGH_JOBS", 4)
    story.use("  a: {handler: 'H:echo', concurrency: 2}")
    file = tmp_path / "jobs.yaml"
    file.write_text(story.config.text.replace("concurrency: 2", "concurrency: 1"))
    story.job("a", sent=0, start=0, end=40)
    few = "backtest: not enough history: 1 jobs in the last day, 4 are needed"
    assert few in cli("plan", file).out
    for number in (1, 1, 2, 2):
        story.job("a", sent=40 * number, start=40 * number, end=40 * number + 39)
    ran = cli("plan", file)
    assert ran.status == 4
    shown = ran.out
    assert "backtest of 5 jobs since 2026-03-10 12:00:00 UTC, confidence " in shown
    assert "a: p95 of the wait" in shown
    assert cli("plan", file, "--json").json["backtest"]["proposed"]["tasks"]["a"]["jobs"] == 5
