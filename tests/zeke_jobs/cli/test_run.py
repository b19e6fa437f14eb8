"""Output that a terminal cannot show, and errors with a next step."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from zeke_jobs.cli import database as command_database
from zeke_jobs.cli.root import app as root
from zeke_jobs.cli.run import FINE, run
from zeke_jobs.errors import JobFailed


def _app(command: Callable[[], Any]) -> typer.Typer:
    app = typer.Typer()
    app.command()(command)
    return app


def test_a_terminal_without_unicode_gets_escapes_instead_of_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    assert run(_app(lambda: print("für später")), "it", []) == FINE
    assert written.getvalue() == b"f\\xfcr sp\\xe4ter\n"


def test_a_failed_job_that_was_waited_for_leads_to_why(capsys: pytest.CaptureFixture[str]) -> None:
    def wait() -> None:
        raise JobFailed("greet 7 failed (OSError: no route)", SimpleNamespace(id=7))  # type: ignore[arg-type]

    assert run(_app(wait), "it", []) == 1
    assert capsys.readouterr().err == "error: greet 7 failed (OSError: no route)\n  help: zeke-jobs why 7\n"


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_list_of_failed_jobs_is_legible_on_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    job = SimpleNamespace(
        id="01900000-0000-7000-8000-00000000ada0", task_id="send-invoice", status="failed", created_on=now, started_on=now,
        completed_on=now, retry_count=1, cost=None, cancelled_on=None, error={"type": "ValueError"}, error_line=lambda: "ValueError: " + "word " * 15,
    )  # fmt: skip
    monkeypatch.setattr(command_database, "choose", lambda: None)
    monkeypatch.setattr("zeke_jobs.jobs", lambda **_filters: [job])
    monkeypatch.setattr(sys, "stdout", shown := Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    assert run(root, "zeke-jobs", ["jobs"]) == FINE
    lines = shown.getvalue().splitlines()
    assert lines[1].split()[:3] == ["0000ada0", "send-invoice", "failed"]
    assert len(lines) <= 6
    assert max(map(len, lines)) <= 80


def shell(line: str) -> tuple[int, str]:
    programs = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


#: More than a pipe holds, and as much as it does.
LONG, SHORT = (
    "version: 1\ntasks:\n" + "".join(f"  t-{n}: {{handler: a:b}}\n" for n in range(count)) for count in (450, 1)
)
FULL = "error: expected to write all of the output, got: No space left on device\n"


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("zeke-jobs --help | head -n 1 > /dev/null", 0, ""),
        ("zeke-jobs schema > /dev/full", 1, FULL),
        ("zeke-jobs check short.yaml 2> /dev/full", 2, ""),
        ("zeke-jobs check long.yaml 2>&1 | true", 2, ""),
    ],
)
def test_output_that_is_closed_or_full_ends_quietly_with_the_usual_statuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, status: int, said: str
) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    (tmp_path / "short.yaml").write_text(SHORT)
    monkeypatch.chdir(tmp_path)
    assert shell(line) == (status, said)
