"""The bench computes the right figures from recorded times."""

import pytest
import yaml

from tests.fleet import ROOT
from tests.lab import server
from tests.lab.bench import bench, ours, result
from tests.lab.bench.__main__ import MEASURES, main
from tests.lab.bench.result import Row
from zeke_jobs import config


def test_a_rate_leaves_out_the_slow_start_and_the_slow_end() -> None:
    steady = [float(n) for n in range(1, 101)]
    assert bench.rate([-500.0, *steady, 900.0]) == pytest.approx(1.0)


def test_the_bench_runs_thirteen_tasks_with_the_limits_of_the_real_file() -> None:
    tasks = config.load_text(ours.jobs_yaml({}), "jobs.yaml").tasks
    real = yaml.safe_load((ROOT / "jobs.yaml").read_text())["tasks"]
    assert list(tasks) == list(real)
    assert tasks["score-relevance"].concurrency.limit == real["score-relevance"]["concurrency"] == 20
    assert tasks["analyze-story"].uses == ("ai",)
    tasks = config.load_text(ours.jobs_yaml({ours.FREE: {}, "analyze-story": {"concurrency": 64}}), "jobs.yaml").tasks
    assert tasks[ours.FREE].concurrency.limit is None
    assert tasks["analyze-story"].concurrency.limit == 64
    assert not tasks["analyze-story"].uses


def test_a_row_says_whether_its_ratio_or_its_figure_reaches_the_target() -> None:
    ratio = result.middle("ours", [3.0, 1.0, 2.0], [4.0, 4.0, 1.0], against="this", least=0.6)
    assert ratio.line() == "| ours | 2 jobs/s | 0.50 (this) | ≥ 0.6: **missed** |  |"
    assert Row("p50", 3.5, "ms", most=4).line() == "| p50 | 3.5 ms |  | ≤ 4: reached |  |"
    assert Row("it failed", None, note="why").line() == "| it failed | — |  |  | why |"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--server", "/usr/lib", "latency"], "PostgreSQL's initdb, such as /usr/lib/postgresql/15/bin, got /usr/lib"),
        (["drain-unlimted"], f"expected one of {', '.join(MEASURES)}, got drain-unlimted"),
    ],
    ids=["server", "measure"],
)
def test_a_wrong_word_is_refused_with_what_is_expected(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert said in " ".join(capsys.readouterr().err.split())


def test_without_a_name_all_parts_of_a_laboratory_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "end_with_us", lambda: None)
    assert server.command("bench", "", [], MEASURES).parts == [*MEASURES]
