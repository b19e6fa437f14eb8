"""The supervisor runs the commands of a system, and restarts them after a change of files."""

import os
import sys
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest
import structlog

from tests.waiting import eventually
from zeke_jobs.cli.operation.up import write_line
from zeke_jobs.supervise import reload
from zeke_jobs.supervise.reload import Reloader, Watch, program, system

ENV = {"DATABASE_URL": "postgresql://localhost/db"}


def test_workers_hand_jobs_back_twenty_seconds_before_they_are_killed() -> None:
    for grace, for_jobs in ((50.0, "30000"), (15.0, "1000")):
        assert system(ENV, grace=grace)[0].argv[-2:] == ["--worker-shutdown-timeout", for_jobs]


def test_programs_may_be_beside_the_command_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dramatiq").write_text("")
    monkeypatch.setattr(sys, "executable", "/usr/bin/a-python")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "zeke-jobs")])
    assert program("dramatiq") == ["/usr/bin/a-python", str(tmp_path / "dramatiq")]


def test_on_a_terminal_the_log_is_readable_unless_another_format_is_set_and_lines_of_a_command_get_a_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for more, form in (({}, "console"), ({"ZEKE_JOBS_LOG_FORMAT": "json"}, "json")):
        for command in system({**ENV, **more}, on_terminal=True):
            assert (command.environment or {})["ZEKE_JOBS_LOG_FORMAT"] == form
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    with structlog.testing.capture_logs() as lines:
        for name in ("up", "workers", "check"):
            write_line(name, "a line")
            write_line(name, "")
    said = [(line["log_level"], line["event"].split()[0]) for line in lines]
    assert said == [("info", "a"), ("error", "a"), ("error", "a")]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("__pycache__", ".hidden", "tests", "shop/prompts"):
        (tmp_path / "code" / folder).mkdir(parents=True)
    (tmp_path / "code" / "a.py").write_text("a = 1")
    (tmp_path / "code" / "shop" / "__init__.py").touch()
    (tmp_path / "jobs.yaml").write_text("version: 1")
    return tmp_path


def test_an_edited_a_new_and_a_removed_file_are_named_once(tree: Path) -> None:
    watched = Watch([tree / "code", tree / "jobs.yaml", tree / "later.yaml"])
    assert watched.changed() == []
    (tree / "jobs.yaml").write_text("version: 2")
    os.utime(tree / "jobs.yaml", (1, 1))
    (tree / "code" / "a.py").unlink()
    (tree / "code" / "b.py").touch()
    (tree / "later.yaml").touch()
    assert watched.changed() == [tree / name for name in ("code/a.py", "code/b.py", "jobs.yaml", "later.yaml")]
    assert watched.changed() == []


def test_code_and_texts_of_packages_count_and_no_tests_caches_or_files_that_a_job_may_write(tree: Path) -> None:
    watched = Watch([tree / "code"])
    left_out = ["__pycache__/a.py", ".hidden/c.py", "notes.log", "report.md", "shop/sold.csv"]
    for name in [*left_out, "test_a.py", "a_test.py", "conftest.py", "tests/a.py"]:
        (tree / "code" / name).touch()
    assert watched.changed() == []
    for name in ("contest.py", "shop/prompts/ask.md"):
        (tree / "code" / name).touch()
    assert watched.changed() == [tree / "code" / "contest.py", tree / "code" / "shop" / "prompts" / "ask.md"]


def test_it_restarts_once_when_asked_without_a_change_and_checks_again_what_could_not_be_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "_LOOK", 0.01)
    programs = iter([[sys.executable], None, [sys.executable]])
    monkeypatch.setattr(reload, "program", lambda _: [*next(programs)])  # type: ignore[misc] # the second raises
    running = Mock()
    watching = Reloader(running, Mock(), os.environ, Watch([tmp_path]), (("python", "-c", "pass"),))
    watching.ask()
    watching.step()
    watching.step()
    running.reload.assert_called_once_with()
    running.reset_mock()
    (tmp_path / "a.py").touch()
    watched = threading.Thread(target=watching.run, daemon=True)
    watched.start()
    eventually(lambda: running.reload.called)
    watching.end()
    watched.join(10)
