"""Recorded jobs become a workload, which ``zeke-jobs backtest``, ``capacity`` and ``plan`` simulate."""

import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.zeke_jobs.backtest.conftest import Story
from tests.zeke_jobs.commands import Cli, Patch
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.backtest import comparing, history
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload
from zeke_jobs.postgres.queries import SQL

ONE = "  a: {handler: 'H:echo'}"
TIME = ("--from", "2026-03-10T12:00", "--to", "2026-03-10T13:00")


def read(story: Story, begin: float = 0, end: float = 3600) -> Workload:
    story.at(3600)
    return history.read(story.conn, story.config, NOON + timedelta(seconds=begin), NOON + timedelta(seconds=end))


def jobs(story: Story) -> list[Job]:
    return sorted(read(story).jobs(), key=lambda job: job.sent)


@pytest.mark.parametrize("is_purged", [False, True], ids=["in the table", "in the history"])
def test_a_job_is_sent_waits_and_ends_each_attempt_as_it_did(story: Story, *, is_purged: bool) -> None:
    story.use("  a: {handler: 'H:echo', retry: {limit: 3, delay: 30s}}")
    story.sent(10, "a")
    story.ran("a", 15, 17, "retry", delay=30.0)
    story.ran("a", 50, 51, "deferred", delay=100.0)
    story.ran("a", 160, 165)
    story.job("a", sent=1200, start=1205, end=1217)
    story.sent(1300, "a")
    story.ran("a", 1301, 1303, "retry", delay=600.0)  # The handler asked for the delay.
    story.ran("a", 2000, 2001)
    if is_purged:
        all_times = {"after": NOON - timedelta(days=1), "before": NOON + timedelta(days=1)}
        SQL.run(story.conn, "retention/purge", task="a", status="completed", limit=999, **all_times)
    found, once, asked = read(story).roots
    assert (found.sent, once.sent, once.waited, once.attempts) == (10.0, 1200.0, 5.0, (Attempt(12.0),))
    assert found.attempts == (Attempt(2.0, "retry"), Attempt(1.0, "deferred", 100.0), Attempt(5.0))
    assert asked.attempts[0] == Attempt(2.0, "retry", 600.0)


def test_retries_beyond_the_limit_are_the_handlers_own_and_a_rejection_is_no_failure(story: Story) -> None:
    story.use("  a: {handler: 'H:echo', retry: {limit: 1, delay: 10s, jitter: 0}}")
    for last in ("completed", "failed"):
        story.sent(0, "a")
        for number, outcome in enumerate(("retry", "deferred", "retry", last)):
            story.ran("a", 20 * number, 20 * number + 1, outcome, **({} if outcome == last else {"delay": 10.0}))
    recording = read(story)
    completed, failed = (job.attempts for job in recording.roots)
    assert [one.own for one in completed] == [False, False, True, False]
    assert [one.how for one in failed] == ["retry", "deferred", "retry", "rejected"]
    shown = Simulation(recording, story.config, Fleet()).run().tasks["a"]
    assert (shown.completed, shown.failed, shown.retried) == (1, 1, 4)
    story.use("  a: {handler: 'H:echo', retry: {limit: 0}}")
    for error in ("ValueError", "Reject"):
        story.sent(200, "a")
        story.ran("a", 201, 203, "failed", error=f'{{"type": "{error}"}}')
    assert [job.attempts[-1].how for job in jobs(story)[2:]] == ["failed", "rejected"]


def test_a_job_follows_from_the_attempt_that_sent_it(story: Story) -> None:
    story.use("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo'}")
    parent = story.sent(0, "a")
    story.ran("a", 1, 3, "retry", delay=1.0)
    story.at(10)
    (claim,) = story.claim(story.someone, 1, ["a"])
    story.sent(14, "b", f'{{"parent": "{parent}"}}')
    story.at(20)
    story.complete(story.someone, [claim])
    (found,) = read(story).roots
    assert [(one.attempt, one.after, one.job.task) for one in found.sends] == [(1, 4.0, "b")]


def test_a_job_that_expired_leaves_the_queue_when_it_did_and_one_that_had_ended_before_fills_none(story: Story) -> None:
    story.use(ONE)
    story.job("a", sent=-50, start=-45, end=-40)
    story.job("a", sent=-30, start=-20, end=10)
    story.sent(15, "a", '{"expires": 60}')
    story.at(75)
    story.rows("SELECT zeke_jobs.expire(10)")
    assert [(job.sent, job.leaves) for job in jobs(story)] == [(-30.0, None), (15.0, 60.0)]


def test_what_cannot_be_used_is_counted_and_takes_as_long_as_others_of_its_task(story: Story) -> None:
    story.use(ONE)
    story.job("a", sent=0, start=1, end=8)
    story.job("a", sent=15, start=20, end=10)  # The clock was set back during the job.
    parent = story.sent(100, "a")
    story.sent(110, "a", f'{{"parent": "{parent}"}}')
    story.rows("DELETE FROM zeke_jobs.queue WHERE message_id = %s", parent)
    found = read(story)
    assert [job.attempts for job in found.roots] == [(Attempt(7.0),)] * 3
    assert [found.oddities[odd] for odd in (history.BACKWARDS, history.UNFINISHED, history.ORPHANS)] == [1, 1, 1]


def test_the_time_is_the_known_part_of_the_last_day_and_facts_tell_of_revisions_and_workers(story: Story) -> None:
    story.use(ONE)
    story.sent(0, "a")
    story.at(3600)
    assert history.period(story.conn) == (NOON, NOON + timedelta(hours=1))
    story.at(200_000)
    end = NOON + timedelta(seconds=200_000)
    assert history.period(story.conn) == (end - timedelta(days=1), end)
    story.at(10)
    story.use("  a: {handler: 'H:echo', concurrency: 1}")
    story.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/a', 'a test')")
    facts = read(story).facts
    assert not isinstance(facts, Fleet)
    assert (facts.revisions, facts.threads, facts.processes, facts.pauses) == ([2], 16, 2, ["task/a"])


def test_costs_of_one_currency_are_summed_and_others_told(story: Story) -> None:
    story.use(ONE)
    for number, currency in enumerate(("USD", "EUR", "USD")):
        job = story.job("a", sent=number, start=number, end=number + 1)
        story.rows("INSERT INTO zeke_jobs.cost (job, task, cost, currency) VALUES (%s, 'a', 0.5, %s)", job, currency)
    found = read(story)
    assert [job.cost for job in found.roots] == [0.5, None, 0.5]
    assert found.currency == "USD"
    assert found.oddities["jobs have costs in another currency than USD; these are left out"] == 1


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


def test_what_makes_no_sense_is_refused(story: Story, cli: Cli, monkeypatch: Patch) -> None:
    assert "--spec FILE" in cli("backtest").err, "without a revision it says what else there is"
    story.use("  a: {handler: 'H:echo'}")
    story.job("a", sent=0, start=1, end=2)
    for arguments, said in (
        (["--load", "much"], "expected a load such as 3x or 0.5x, got 'much'"),
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


def test_a_described_load_needs_no_database_and_is_plotted(tmp_path: Path, monkeypatch: Patch, cli: Cli) -> None:
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


def test_a_plan_says_what_it_would_have_done(story: Story, tmp_path: Path, cli: Cli, monkeypatch: Patch) -> None:
    monkeypatch.setattr(comparing, "ENOUGH_JOBS", 4)
    story.use("  a: {handler: 'H:echo', concurrency: 2}")
    file = tmp_path / "jobs.yaml"
    file.write_text(story.config.text.replace("concurrency: 2", "concurrency: 1"))
    story.job("a", sent=0, start=0, end=40)
    assert "backtest: not enough history: 1 jobs in the last day, 4 are needed" in cli("plan", file).out
    for number in (1, 1, 2, 2):
        story.job("a", sent=40 * number, start=40 * number, end=40 * number + 39)
    ran = cli("plan", file)
    assert ran.status == 4
    shown = ran.out
    assert "backtest of 5 jobs since 2026-03-10 12:00:00 UTC, confidence " in shown
    assert "a: p95 of the wait" in shown
    assert cli("plan", file, "--json").json["backtest"]["proposed"]["tasks"]["a"]["jobs"] == 5
