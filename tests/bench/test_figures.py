"""What the bench computes from recorded times."""

from __future__ import annotations

import pytest
import yaml

from tests.bench import drain, ours
from tests.bench.__main__ import MEASURES, main
from tests.bench.measures.fairness import free, overlap
from tests.bench.processes import ROOT
from zeke_jobs import config


def test_a_rate_leaves_out_the_slow_start_and_the_slow_end() -> None:
    steady = [float(n) for n in range(1, 101)]
    assert drain.rate([-500.0, *steady, 900.0]) == pytest.approx(1.0)


def test_a_wait_counts_only_while_another_worker_has_a_free_thread() -> None:
    two_threads = free([(0.0, 10.0), (2.0, 4.0)], 2)
    assert overlap((1.0, 5.0), [two_threads]) == pytest.approx(2.0)
    assert overlap((2.5, 3.5), [two_threads]) == 0.0


def test_several_free_workers_do_not_make_a_wait_longer() -> None:
    idle = free([], 8)
    assert overlap((1.0, 3.0), [idle, idle]) == pytest.approx(2.0)


def test_the_bench_runs_thirteen_tasks_with_the_limits_of_the_real_file() -> None:
    tasks = config.load_text(ours.jobs_yaml({}), "jobs.yaml").tasks
    real = yaml.safe_load((ROOT / "jobs.yaml").read_text())["tasks"]
    assert list(tasks) == list(real)
    assert tasks["score-relevance"].concurrency.limit == real["score-relevance"]["concurrency"] == 20
    assert tasks["analyze-story"].uses == ("ai",)


def test_what_a_measure_changes_replaces_the_real_limits() -> None:
    tasks = config.load_text(ours.jobs_yaml({ours.FREE: {}, "analyze-story": {"concurrency": 64}}), "jobs.yaml").tasks
    assert tasks[ours.FREE].concurrency.limit is None
    assert tasks["analyze-story"].concurrency.limit == 64
    assert not tasks["analyze-story"].uses


def test_an_unknown_measure_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["drain-unlimted"])
    said = capsys.readouterr().err
    assert all(name in said for name in MEASURES)
    assert "got drain-unlimted" in said
