import sys
from pathlib import Path

import pytest
import structlog

from zeke_jobs.cli.operation.up import write_line
from zeke_jobs.supervise.processes import program, system

ENV = {"DATABASE_URL": "postgresql://localhost/db"}


def test_the_system_is_the_two_command_lines() -> None:
    workers, scheduler = system(ENV, processes=2, threads=4)
    assert workers.argv[0] == scheduler.argv[0] == sys.executable
    assert [Path(workers.argv[1]).name, *workers.argv[2:7]] == [
        "dramatiq",
        "zeke_jobs.actors",
        "--processes",
        "2",
        "--threads",
        "4",
    ]
    assert [Path(scheduler.argv[1]).name, *scheduler.argv[2:]] == ["periodiq", "zeke_jobs.actors"]


@pytest.mark.parametrize(("grace", "for_jobs"), [(50.0, "30000"), (15.0, "1000")])
def test_workers_hand_jobs_back_twenty_seconds_before_they_are_killed(grace: float, for_jobs: str) -> None:
    workers, _ = system(ENV, grace=grace)
    assert workers.argv[-2:] == ["--worker-shutdown-timeout", for_jobs]


@pytest.mark.parametrize("name", ["dramatiq", "periodiq", "zeke-jobs"])
def test_programs_are_those_beside_this_python(name: str) -> None:
    assert program(name) == [sys.executable, str(Path(sys.executable).parent / name)]
    assert Path(program(name)[1]).is_file()


def test_programs_may_be_beside_the_command_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dramatiq").write_text("")
    monkeypatch.setattr(sys, "executable", "/usr/bin/a-python")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "zeke-jobs")])
    assert program("dramatiq") == ["/usr/bin/a-python", str(tmp_path / "dramatiq")]


def test_on_a_terminal_the_log_is_readable_unless_the_environment_says_otherwise() -> None:
    for command in system(ENV, on_terminal=True):
        assert command.environment is not None
        assert command.environment["ZEKE_JOBS_LOG_FORMAT"] == "console"
    for command in system({**ENV, "ZEKE_JOBS_LOG_FORMAT": "json"}, on_terminal=True):
        assert command.environment is not None
        assert command.environment["ZEKE_JOBS_LOG_FORMAT"] == "json"


def test_a_line_has_its_commands_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "console")
    write_line("workers", "ready")
    assert capsys.readouterr().err == "workers   | ready\n"


@pytest.mark.parametrize(("name", "level"), [("up", "info"), ("workers", "error"), ("check", "error")])
def test_for_machines_what_a_command_writes_beside_its_log_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, level: str
) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    with structlog.testing.capture_logs() as lines:
        write_line(name, "Worker with PID 7 exited unexpectedly (code -9). Shutting down...")
        write_line(name, "")
    assert [line["log_level"] for line in lines] == [level]


def test_for_machines_a_line_of_dramatiqs_main_process_keeps_its_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    head = "[2026-11-29 17:40:37,039] [PID 7] [MainThread] [dramatiq.MainProcess]"
    with structlog.testing.capture_logs() as lines:
        write_line("workers", f"{head} [INFO] Dramatiq '1.18.0' is booting up.")
        write_line("workers", f"{head} [CRITICAL] Worker with PID 8 exited unexpectedly (code -9). Shutting down...")
    assert [(line["log_level"], line["event"].split()[0]) for line in lines] == [
        ("info", "Dramatiq"),
        ("critical", "Worker"),
    ]


def test_a_line_that_is_json_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    write_line("workers", '{"event": "ready"}')
    assert capsys.readouterr().err == '{"event": "ready"}\n'
