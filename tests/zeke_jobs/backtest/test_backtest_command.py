import json
from pathlib import Path

import pytest

from tests.zeke_jobs.backtest.conftest import Story
from zeke_jobs.backtest import comparing
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run

TIME = ("--from", "2026-03-10T12:00", "--to", "2026-03-10T13:00")


@pytest.fixture
def busy(story: Story) -> Story:
    """One job a minute for an hour, each of 50 seconds, two at once."""
    story.use("  a: {handler: 'H:echo', concurrency: 2, max_wait: 1m}")
    for minute in range(60):
        story.job("a", sent=60 * minute, start=60 * minute, end=60 * minute + 50)
    story.at(3600)
    return story


def test_a_change_is_answered_with_what_it_would_have_done(busy: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "zeke-jobs", ["backtest", *TIME, "--load", "3x", "--set", "a.concurrency=1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["today"]["tasks"]["a"]["jobs"] == 60
    assert answer["proposed"]["tasks"]["a"]["jobs"] == 180
    assert answer["today"]["tasks"]["a"]["breaches"] == 0
    assert answer["proposed"]["tasks"]["a"]["breaches"] > 100
    assert answer["proposed"]["limits"]["task/a"]["utilisation"] > 0.95


def test_people_read_what_changes_and_what_limits(busy: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(app, "zeke-jobs", ["backtest", *TIME, "--set", "a.concurrency=1", "--workers", "1x4", "--load", "1.5x"])
        == 0
    )
    shown = capsys.readouterr().out
    print(shown)
    assert "60 jobs from 2026-03-10 12:00:00 UTC to 2026-03-10 13:00:00 UTC" in shown
    assert "a: p95 of the wait" in shown
    assert "confidence: fair" in shown
    assert "only 60 jobs were recorded" in shown


def test_what_makes_no_sense_is_refused(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
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
    ):
        assert run(app, "zeke-jobs", ["backtest", *arguments]) == 2
        assert said in capsys.readouterr().err


def test_without_a_revision_it_says_what_else_there_is(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "zeke-jobs", ["backtest"]) == 2
    assert "--spec FILE" in capsys.readouterr().err


def test_a_described_load_needs_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    file, spec = tmp_path / "jobs.yaml", tmp_path / "load.yaml"
    file.write_text("version: 1\ntasks:\n  a: {handler: 'no.such:thing', concurrency: 2}\n")
    spec.write_text("version: 1\nlength: 2h\ntasks:\n  a: {rate: 60/h, takes: 1m}\n")
    picture = tmp_path / "out.png"
    asked = ["backtest", "--spec", str(spec), "--file", str(file), "--set", "a.concurrency=1", "--from", "2026-03-10"]
    assert run(app, "zeke-jobs", [*asked, "--plot", str(picture), "--json"]) == 0
    first = capsys.readouterr().out
    assert json.loads(first)["proposed"]["limits"]["task/a"]["utilisation"] > 0.7
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(app, "zeke-jobs", [*asked, "--json"]) == 0
    assert capsys.readouterr().out == first


def test_capacity_says_how_many_jobs_a_day_and_what_runs_out(busy: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "zeke-jobs", ["capacity", *TIME, "--workers", "1x4"]) == 0
    shown = capsys.readouterr().out
    assert "task/a" in shown
    assert "3,456 jobs a day, 2.4 times as many as were sent; then task/a is used up" in shown
    assert run(app, "zeke-jobs", ["capacity", *TIME, "--set", "a.concurrency=4", "--workers", "1x3", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["runs_out"], round(answer["carries"], 1)) == ("threads", 3.6)


def test_the_busiest_hour_falls_behind(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    story.use("  a: {handler: 'H:echo', concurrency: 6}")
    for minute in range(60):
        story.job("a", sent=3600 + 60 * minute, start=3600 + 60 * minute, end=3650 + 60 * minute)
    story.at(7200)
    asked = ["capacity", "--from", "2026-03-10T12:00", "--to", "2026-03-10T14:00", "--workers", "1x8"]
    assert run(app, "zeke-jobs", asked) == 0
    assert "the busiest hour falls behind for want of task/a, and is made up for later" in capsys.readouterr().out


def test_a_plan_says_what_the_change_would_have_done(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "ENOUGH_JOBS", 20)
    story.use("  a: {handler: 'H:echo', concurrency: 2}")
    file = tmp_path / "jobs.yaml"
    file.write_text(story.config.text.replace("concurrency: 2", "concurrency: 1"))
    story.sent(0, "a")
    story.ran("a", 0, 40)
    assert run(app, "zeke-jobs", ["plan", str(file)]) == 4
    said = "backtest: not enough history: 1 jobs in the last day, 20 are needed"
    assert said in capsys.readouterr().out
    for number in range(1, 21):
        story.job("a", sent=40 * number, start=40 * number, end=40 * number + 39)
        story.job("a", sent=40 * number, start=40 * number, end=40 * number + 39)
    assert run(app, "zeke-jobs", ["plan", str(file)]) == 4
    shown = capsys.readouterr().out
    assert "backtest of 41 jobs since 2026-03-10 12:00:00 UTC, confidence fair" in shown
    assert "a: p95 of the wait" in shown
    assert run(app, "zeke-jobs", ["plan", str(file), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["backtest"]["proposed"]["tasks"]["a"]["jobs"] == 41
