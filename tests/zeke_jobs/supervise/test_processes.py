import sys
from pathlib import Path

import pytest
import structlog

from zeke_jobs.cli.operation.up import write_line
from zeke_jobs.supervise.reload import program, system

ENV = {"DATABASE_URL": "postgresql://localhost/db"}


@pytest.mark.parametrize(("grace", "for_jobs"), [(50.0, "30000"), (15.0, "1000")])
def test_workers_hand_jobs_back_twenty_seconds_before_they_are_killed(grace: float, for_jobs: str) -> None:
    workers, _ = system(ENV, grace=grace)
    assert workers.argv[-2:] == ["--worker-shutdown-timeout", for_jobs]


def test_programs_may_be_beside_the_command_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dramatiq").write_text("")
    monkeypatch.setattr(sys, "executable", "/usr/bin/a-python")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "zeke-jobs")])
    assert program("dramatiq") == ["/usr/bin/a-python", str(tmp_path / "dramatiq")]


@pytest.mark.parametrize(("more", "form"), [({}, "console"), ({"ZEKE_JOBS_LOG_FORMAT": "json"}, "json")])
def test_on_a_terminal_the_log_is_readable_unless_the_environment_sets_another_format(
    more: dict[str, str], form: str
) -> None:
    for command in system({**ENV, **more}, on_terminal=True):
        assert command.environment is not None
        assert command.environment["ZEKE_JOBS_LOG_FORMAT"] == form


def test_where_lines_must_be_json_those_of_a_command_get_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    with structlog.testing.capture_logs() as lines:
        for name in ("up", "workers", "check"):
            write_line(name, "a line")
            write_line(name, "")
    said = [(line["log_level"], line["event"].split()[0]) for line in lines]
    assert said == [("info", "a"), ("error", "a"), ("error", "a")]
