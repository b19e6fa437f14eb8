"""The bench computes the right figures from recorded times."""

from threading import get_ident

import pytest
import yaml

from tests.fleet import ROOT
from tests.lab import server
from tests.lab.bench import bench, ours, result, threads
from tests.lab.bench.__main__ import MEASURES, main
from tests.lab.bench.result import Row
from zeke_jobs import config


def test_a_rate_leaves_out_the_slow_start_and_the_slow_end() -> None:
    steady = [float(n) for n in range(1, 101)]
    assert bench.rate([-500.0, *steady, 900.0]) == pytest.approx(1.0)


def test_each_thread_calls_until_the_time_is_over() -> None:
    calls: list[int] = []
    per_second = threads.rate(lambda _: calls.append(get_ident()), 3, 0.02)
    assert len(set(calls)) == 3
    assert 0 < per_second <= (len(calls) - 3) / 0.02  # A busy machine takes longer than 0.02 s.


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


def test_a_row_says_whether_its_ratio_or_its_figure_reaches_the_target() -> None:
    ratio = result.middle("ours", [3.0, 1.0, 2.0], [4.0, 4.0, 1.0], against="this", least=0.6)
    assert ratio.line() == "| ours | 2 jobs/s | 0.50 (this) | ≥ 0.6: **missed** |  |"
    assert Row("p50", 3.5, "ms", most=4).line() == "| p50 | 3.5 ms |  | ≤ 4: reached |  |"
    assert Row("it failed", None, note="why").line() == "| it failed | — |  |  | why |"


def test_a_server_is_named_by_the_folder_of_its_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--server", "/usr/lib", "latency"])
    assert (
        "expected a folder with PostgreSQL's initdb, such as /usr/lib/postgresql/15/bin, got /usr/lib"
        in capsys.readouterr().err
    )


def test_an_unknown_measure_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["drain-unlimted"])
    said = capsys.readouterr().err
    assert all(name in said for name in MEASURES)
    assert "got drain-unlimted" in said


def test_without_a_name_all_parts_of_a_laboratory_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "end_with_us", lambda: None)
    assert server.command("bench", "", [], MEASURES).parts == [*MEASURES]
