from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

import pytest

from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest import load_file
from zeke_jobs.backtest.synthetic import synthesize
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from zeke_jobs.backtest.workload import Workload

CONFIG = load("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo'}\n  tick: {handler: 'H:echo', cron: '0 * * * *'}")
BEGIN = datetime(2026, 3, 10, tzinfo=UTC)


def made(tasks: str, length: str = "1d", *, times: float = 1.0, seed: int = 0) -> Workload:
    text = f"version: 1\nlength: {length}\ntasks:\n{tasks}"
    return synthesize(load_file.load_text(text, "load.yaml", CONFIG), CONFIG, BEGIN, load=times, seed=seed)


def refused(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_file.load_text(text, "load.yaml", CONFIG)
    return str(caught.value)


def test_a_rate_sends_so_many_at_random() -> None:
    found = made("  a: {rate: 60/h, takes: 2s}")
    assert 1300 < len(found) < 1580
    assert found.sent == sorted(found.sent)
    assert len({round(sent) % 60 for sent in found.sent}) > 50


def test_hours_differ_and_repeat() -> None:
    found = made("  a: {hourly: [100, 0, 300], takes: 2s}", length="6h")
    hours = [sum(int(sent // 3600) == hour for sent in found.sent) for hour in range(6)]
    assert hours[1] == hours[4] == 0
    assert all(70 < hours[hour] < 135 for hour in (0, 3))
    assert all(245 < hours[hour] < 360 for hour in (2, 5))


def test_lengths_are_as_described() -> None:
    always = made("  a: {rate: 60/h, takes: 2s}").attempts
    assert {attempt.held for (attempt,) in always} == {2.0}
    evenly = [attempt.held for (attempt,) in made("  a: {rate: 60/h, takes: {least: 1s, most: 3s}}").attempts]
    assert 1 <= min(evenly) < 1.1
    assert 2.9 < max(evenly) <= 3
    skewed = sorted(attempt.held for (attempt,) in made("  a: {rate: 600/h, takes: {median: 2s, p95: 10s}}").attempts)
    assert median(skewed) == pytest.approx(2.0, rel=0.05)
    assert skewed[int(len(skewed) * 0.95)] == pytest.approx(10.0, rel=0.1)


def test_attempts_fail_as_often_as_described() -> None:
    found = made("  a: {rate: 600/h, takes: 2s, fails: 0.2}").attempts
    assert sum(len(attempts) - 1 for attempts in found) / sum(map(len, found)) == pytest.approx(0.2, abs=0.02)


def test_each_job_sends_so_many_others_when_it_ends() -> None:
    found = made("  a: {rate: 60/h, takes: 2s, sends: {b: 1.5}}\n  b: {takes: 1s, keys: 3}")
    parents = [job for job, name in enumerate(found.task) if name == "a"]
    assert len(found.roots) == len(parents)
    assert (len(found) - len(parents)) / len(parents) == pytest.approx(1.5, rel=0.05)
    assert {follow_up.after for many in found.follow_ups.values() for follow_up in many} == {2.0}
    assert {key for key, name in zip(found.key, found.task, strict=True) if name == "b"} == {0, 1, 2}


def test_a_schedule_sends_its_own_and_more_load_makes_its_jobs_send_more() -> None:
    tasks = "  tick: {takes: 1s, sends: {b: 2}}\n  b: {takes: 1s}"
    for times in (1.0, 3.0):
        found = made(tasks, times=times)
        assert found.task.count("tick") == 24
        assert found.task.count("b") == 48 * times


def test_the_same_seed_makes_the_same_load() -> None:
    tasks = "  a: {rate: 60/h, takes: {median: 2s, p95: 9s}}"
    assert made(tasks, seed=1) == made(tasks, seed=1) != made(tasks, seed=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: {a: {rate: 1/h, takes: 2s}}", "load.yaml:1:1: error: expected the key 'version' in the file, got none"),
        ("version: 1", "load.yaml:1:1: error: expected the key 'tasks' in the file, got none"),
        ("[]", "load.yaml:1:1: error: expected a mapping with tasks, got a list"),
        ("version: 1\ntasks:\n  aa: {takes: 2s}", "load.yaml:3:3: error: expected a task of jobs.yaml, got 'aa'"),
        ("version: 1\ntasks:\n  a: {rate: 1/h}", "load.yaml:3:3: error: expected the key 'takes' in the load of a, got none"),
        ("version: 1\ntasks:\n  a: {takes: 2s, rat: 1/h}", "load.yaml:3:18: error: expected a key of a task's load, got 'rat'"),
        ("version: 1\ntasks:\n  a: {takes: 2}", "load.yaml:3:14: error: expected a duration or a mapping, got 2"),
        ("version: 1\ntasks:\n  a: {takes: {least: 2s}}", "load.yaml:3:14: error: expected always, or least and most"),
        ("version: 1\ntasks:\n  a: {takes: {median: 9s, p95: 2s}}", "load.yaml:3:14: error: expected the lower bound first"),
        ("version: 1\ntasks:\n  a: {takes: 2s, rate: 1/h, hourly: [1]}", "load.yaml:3:29: error: expected rate or hourly, got both"),
        ("version: 1\ntasks:\n  a: {takes: 2s, sends: {c: 1}}", "load.yaml:3:26: error: expected a task of jobs.yaml, got 'c'"),
        ("version: 1\ntasks:\n  a: {takes: 2s, fails: 2}", "load.yaml:3:25: error: expected a number of less than 1, got 2"),
        (
            "version: 1\ntasks:\n  a: {takes: 2s, sends: {b: 1}}\n  b: {takes: 2s, sends: {a: 0.5}}",
            "load.yaml:3:18: error: expected jobs of a to send no further ones of a in the end, got a circle",
        ),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_place(text: str, said: str) -> None:
    assert said in refused(text)


def test_all_faults_are_told_at_once() -> None:
    assert refused("version: 1\ntasks:\n  aa: {takes: 2s}\n  a: {takes: {least: 1s}}").endswith("2 errors in load.yaml")
