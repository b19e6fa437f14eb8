"""All commands share the help, the output on limited terminals, and errors with a next step."""

import io
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

import zeke_jobs
from tests.zeke_jobs.cli.test_hostile_text import COMMANDS, command, names, tree
from tests.zeke_jobs.commands import Cli
from zeke_jobs.cli.run import FINE, run


def test_a_terminal_without_unicode_gets_escapes_instead_of_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    app = typer.Typer()
    app.command()(lambda: print("für später"))
    assert run(lambda _words: app, "it", []) == FINE
    assert written.getvalue() == b"f\\xfcr sp\\xe4ter\n"


def shell(line: str) -> tuple[int, str]:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-o", "pipefail", "-c", line]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


FULL = "error: expected to write all of the output, got: No space left on device\n"


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("zeke-jobs schema > /dev/full", 1, FULL),
        ("zeke-jobs check long.yaml 2>&1 | true", 2, ""),
        ("zeke-jobs check long.yaml 2> /dev/full", 2, ""),
    ],
)
def test_output_that_is_closed_or_full_ends_quietly_with_the_usual_statuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, status: int, said: str
) -> None:
    # The faults fill more than the buffer of a pipe.
    tasks = "".join(f"  t-{n}: {{handler: a:b}}\n" for n in range(450))
    (tmp_path / "long.yaml").write_text(f"version: 1\ntasks:\n{tasks}")
    monkeypatch.chdir(tmp_path)
    assert shell(line) == (status, said)


def test_no_command_shows_the_whole_help_with_a_sentence_for_each_and_is_wrong_use(cli: Cli) -> None:
    asked, ran = cli("--help"), cli()
    assert "Commands" in asked.out
    assert (ran.status, ran.out, ran.err) == (2, "", asked.out)
    assert cli("--version").out == f"zeke-jobs {zeke_jobs.__version__}\n"
    for path in names(tree()):
        said = command(path).get_short_help_str(61)
        assert re.fullmatch(r".{,58}[^.]\.", said), path


#: The commands in OTHERS create or drop the tables, do not read the tables, or report missing tables differently.
OTHERS = {"import", "init", "check", "schema", "migrate", "up", "reload", "doctor", "health", "mcp", "metrics", "uninstall"}  # fmt: skip


def test_each_other_command_on_a_database_without_tables_names_what_makes_them(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text("version: 1\ntasks: {a: {handler: 'tests.zeke_jobs.revisions.world:work'}}\n")
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(file))
    monkeypatch.setenv("DATABASE_URL", new_database())
    words: dict[str, object] = dict.fromkeys(("QUEUED", "FAILED", "ACTIVE"), uuid.uuid4()) | {"FILE": file}
    for name in COMMANDS.keys() - OTHERS:
        arguments = ("--apply",) if name == "roles" else COMMANDS[name][0]
        ran = cli(*name.split(), *(words.get(one, one) for one in arguments))
        assert (ran.status, ran.out, ran.err[:7]) == (2, "", "error: "), name
        assert "run: zeke-jobs migrate" in ran.err, name
    for line in ("doctor", "health worker", "metrics", "uninstall --yes"):
        assert cli(*line.split()).status in (1, 2), line


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (AssertionError("cannot happen"), 3, ["AssertionError: cannot happen", "please report it"]),
        (KeyboardInterrupt(), 130, []),
    ],
)
def test_a_bug_of_ours_asks_for_a_report_and_an_interrupt_does_not(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, raised: BaseException, status: int, said: list[str]
) -> None:
    def broken(**_: Any) -> None:
        raise raised

    monkeypatch.setattr("zeke_jobs.jobs", broken)
    monkeypatch.setenv("DATABASE_URL", "postgresql:///none")
    ran = cli("jobs")
    assert (ran.status, all(part in ran.err for part in said)) == (status, True)
    assert said or "report" not in ran.err
