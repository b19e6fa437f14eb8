"""The figures that the bench computes from recorded times."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.lab.bench import drain, ours, page, result, threads
from tests.lab.bench.__main__ import MEASURES, main
from tests.lab.bench.measures.fairness import free, overlap
from tests.lab.bench.processes import ROOT
from tests.lab.bench.result import Row
from zeke_jobs import config

if TYPE_CHECKING:
    from pathlib import Path


def test_a_rate_leaves_out_the_slow_start_and_the_slow_end() -> None:
    steady = [float(n) for n in range(1, 101)]
    assert drain.rate([-500.0, *steady, 900.0]) == pytest.approx(1.0)


def test_each_thread_calls_until_the_time_is_over() -> None:
    calls: list[int] = []
    per_second = threads.rate(lambda _: calls.append(get_ident()), 3, 0.02)
    assert len(set(calls)) == 3
    assert 0 < per_second <= (len(calls) - 3) / 0.02  # a busy machine takes longer than 0.02 s


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


def test_a_page_gets_the_new_figures_and_keeps_its_words(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"Before.\n\n{page.BEGIN}\nold\n{page.END}\n\nAfter.\n")
    rows = [Row("send", "ours", 1234.5, ratio=1.5, against="this", target="≥ 2", reached=False)]
    page.write(path, {"PostgreSQL 18": rows}, "Heading")
    text = path.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "| `send` | | | | |\n| ours | 1,234 jobs/s | 1.50 (this) | ≥ 2: **missed** |  |" in text
    assert "PostgreSQL 18. Heading" in text
    assert "old" not in text


def test_two_servers_stand_side_by_side_and_more_than_one_is_faster(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"{page.BEGIN}\nkept\n{page.END}\n{page.BEGIN_SERVERS}\nold\n{page.END_SERVERS}\n")
    page.write(path, {"A": [Row("top", "look", 1.0, "s")], "B": [Row("top", "look", 1.0, "s")]}, "Earlier")
    page.write(path, {"A": [Row("send", "ours", 1.0)], "B": [Row("send", "ours", 1.0)]}, "Before that")
    mine = [Row("send", "ours", 1000.0), Row("latency", "p50", 2.0, "ms"), Row("send", "only here", 1.0)]
    theirs = [Row("send", "ours", 800.0), Row("latency", "p50", 4.0, "ms")]
    page.write(path, {"A": mine, "B": theirs}, "Heading")
    text = path.read_text()
    assert "| what | A | B | ratio, ≥ 0.8 |\n" in text
    assert "| `top`: look | 1 s | 1 s | 1.00 |\n" in text
    assert "`top`: Earlier\n" in text
    assert "`send`, `latency`: Heading\n" in text
    assert "Before that" not in text
    assert text.count("`send`: ours") == 1
    assert "| `send`: ours | 1,000 jobs/s | 800 jobs/s | 0.80 |\n" in text
    assert "| `latency`: p50 | 2 ms | 4 ms | 0.50, **missed** |\n" in text
    assert "kept" in text
    assert "old" not in text


def test_turns_are_one_row_with_the_median_of_each_figure() -> None:
    turns = [[Row("top", "look", value, "ms", rounds=(value,)), Row("top", "other", 1.0)] for value in (3.0, 5.0)]
    look, other = result.together(turns)
    assert (look.value, look.rounds, other.value) == (4.0, (3.0, 5.0), 1.0)


def test_a_server_is_named_by_the_folder_of_its_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--server", "/usr/lib", "framework"])
    assert (
        "expected a folder with PostgreSQL's initdb, such as /usr/lib/postgresql/15/bin, got /usr/lib"
        in capsys.readouterr().err
    )


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(ValueError, match="expected <!-- figures"):
        page.write(tmp_path / "page.md", {"PostgreSQL 18": []}, "")


def test_an_unknown_measure_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["drain-unlimted"])
    said = capsys.readouterr().err
    assert all(name in said for name in MEASURES)
    assert "got drain-unlimted" in said
