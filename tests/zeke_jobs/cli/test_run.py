"""Output that a terminal cannot show, and errors with a next step."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from zeke_jobs.cli.run import FINE, run


def _app(command: Callable[[], Any]) -> typer.Typer:
    app = typer.Typer()
    app.command()(command)
    return app


def test_a_terminal_without_unicode_gets_escapes_instead_of_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    assert run(_app(lambda: print("für später")), "it", []) == FINE
    assert written.getvalue() == b"f\\xfcr sp\\xe4ter\n"


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


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
        ("zeke-jobs schema > /dev/full", 1, FULL),
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
