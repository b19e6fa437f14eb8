import re
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from textwrap import dedent

import pytest

from tests.zeke_jobs.worker.conftest import load
from zeke_jobs import config
from zeke_jobs.backtest import load_file
from zeke_jobs.backtest.load_file import synthesize
from zeke_jobs.backtest.workload import Fleet, Workload
from zeke_jobs.errors import ConfigurationError

CONFIG = load("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo'}\n  tick: {handler: 'H:echo', cron: '0 * * * *'}")
ROOT = Path(__file__).parents[3]
BEGIN = datetime(2026, 3, 10, tzinfo=UTC)


def made(tasks: str, length: str = "1d") -> Workload:
    text = f"version: 1\nlength: {length}\ntasks:\n{tasks}"
    return synthesize(load_file.load_text(text, "load.yaml", CONFIG), CONFIG, BEGIN, Fleet())


def lengths(tasks: str) -> list[float]:
    return [attempt.held for job in made(tasks).jobs() for attempt in job.attempts]


def test_the_load_of_the_page_is_accepted_and_each_key_is_documented() -> None:
    page = (ROOT / "docs" / "backtest.md").read_text(encoding="utf-8")
    example = re.search(r"(?m)^    version: 1\n(?:    .*\n)+", page)
    assert example is not None
    read = load_file.load_text(dedent(example[0]), "load.yaml", config.load(ROOT / "jobs.yaml", handlers=False))
    assert set(read.tasks) == {"ingest-oneoff", "analyze-story"}
    for model in (load_file.LoadStanza, load_file.SentStanza, load_file.TakesStanza):
        assert [key for key in model.model_fields if f"`{key}`" not in page and f"{key}:" not in page] == []


def test_a_rate_sends_so_many_at_random_and_hours_differ_and_repeat() -> None:
    sent = [job.sent for job in made("  a: {rate: 60/h, takes: 2s}").roots]
    assert 1300 < len(sent) < 1580
    assert sent == sorted(sent)
    assert len({round(at) % 60 for at in sent}) > 50
    found = made("  a: {hourly: [100, 0, 300], takes: 2s}", length="6h")
    hours = [sum(int(job.sent // 3600) == hour for job in found.roots) for hour in range(6)]
    assert hours[1] == hours[4] == 0
    assert all(70 < hours[hour] < 135 for hour in (0, 3))
    assert all(245 < hours[hour] < 360 for hour in (2, 5))


def test_lengths_are_as_described_and_attempts_fail_as_often() -> None:
    assert set(lengths("  a: {rate: 60/h, takes: 2s}")) == {2.0}
    evenly = lengths("  a: {rate: 60/h, takes: {least: 1s, most: 3s}}")
    assert 1 <= min(evenly) < 1.1
    assert 2.9 < max(evenly) <= 3
    skewed = sorted(lengths("  a: {rate: 600/h, takes: {median: 2s, p95: 10s}}"))
    assert median(skewed) == pytest.approx(2.0, rel=0.05)
    assert skewed[int(len(skewed) * 0.95)] == pytest.approx(10.0, rel=0.1)
    found = [len(job.attempts) for job in made("  a: {rate: 600/h, takes: 2s, fails: 0.2}").jobs()]
    assert sum(count - 1 for count in found) / sum(found) == pytest.approx(0.2, abs=0.02)


def test_each_job_sends_so_many_others_when_it_ends_and_a_schedule_its_own() -> None:
    parents = made("  a: {rate: 60/h, takes: 2s, sends: {b: 1.5}}\n  b: {takes: 1s, keys: 3}").roots
    sends = [sent for job in parents for sent in job.sends]
    assert {job.task for job in parents} == {"a"}
    assert len(sends) / len(parents) == pytest.approx(1.5, rel=0.05)
    assert {sent.after for sent in sends} == {2.0}
    assert {sent.job.key for sent in sends if sent.job.task == "b"} == {0, 1, 2}

    found = [job.task for job in made("  tick: {takes: 1s, sends: {b: 2}}\n  b: {takes: 1s}").jobs()]
    assert (found.count("tick"), found.count("b")) == (24, 48)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: {a: {rate: 1/h, takes: 2s}}", "load.yaml:1:1: error: expected the key 'version' in the file, got none"),
        ("[]", "load.yaml:1:1: error: expected a mapping with version and tasks, got a list"),
        ("version: 1\ntasks:\n  aa: {takes: 2s}", "load.yaml:3:3: error: expected a task of jobs.yaml, got 'aa'"),
        ("version: 1\ntasks:\n  a: {takes: 2s, rat: 1/h}", "load.yaml:3:18: error: expected a key of a load, got 'rat'"),
        ("version: 1\ntasks:\n  a: {takes: 2}", "load.yaml:3:14: error: expected a duration or a mapping, got 2"),
        ("version: 1\ntasks:\n  a: {takes: {least: 2s}}", "load.yaml:3:14: error: expected always, or least and most"),
        ("version: 1\ntasks:\n  a: {takes: {median: 9s, p95: 2s}}", "load.yaml:3:14: error: expected the lower bound first"),
        ("version: 1\ntasks:\n  a: {takes: 2s, rate: 1/h, hourly: [1]}", "load.yaml:3:29: error: expected rate or hourly, got both"),
        ("version: 1\ntasks:\n  a: {takes: 2s, sends: {c: 1}}", "load.yaml:3:26: error: expected a task of jobs.yaml, got 'c'"),
        ("version: 1\ntasks:\n  a: {takes: 2s, fails: 2}", "load.yaml:3:25: error: expected a number of less than 1, got 2"),
        ("version: 1\ntasks:\n  a: {takes: 2s, sends: {b: 1}}\n  b: {takes: 2s, sends: {a: 0.5}}", "load.yaml:3:18: error: expected jobs of a to send no further ones of a in the end, got a circle"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_file.load_text(text, "load.yaml", CONFIG)
    assert said in str(caught.value)
