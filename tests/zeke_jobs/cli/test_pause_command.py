from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
import typer

from zeke_jobs.cli.queue import pause
from zeke_jobs.cli.run import run

if TYPE_CHECKING:
    from collections.abc import Callable


class Ran(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], make_task: Callable[..., None]) -> Callable[..., Ran]:
    make_task("analyze-story")
    app = typer.Typer()
    for command in (pause.pause, pause.resume, pause.paused):
        app.command()(command)

    def call(*arguments: str) -> Ran:
        status = run(app, "zeke-jobs", arguments)
        out, err = capsys.readouterr()
        return Ran(status, out, err)

    return call


def test_pause_paused_and_resume_say_what_they_did(cli: Callable[..., Ran]) -> None:
    assert cli("pause", "task/analyze-story", "--reason", "the model is down") == (
        0, "task/analyze-story is paused\n", "",
    )  # fmt: skip
    again = cli("pause", "task/analyze-story", "--reason", "quota").out
    assert again.startswith("task/analyze-story was paused already by ")
    assert again.endswith(" (the model is down); that pause stays\n")
    listed = cli("paused").out
    assert "task/analyze-story" in listed
    assert "the model is down" in listed
    (one,) = json.loads(cli("paused", "--json").out)
    assert (one["target"], one["reason"], one["waiting"]) == ("task/analyze-story", "the model is down", 0)
    assert cli("resume", "task/analyze-story").out == "task/analyze-story is resumed\n"
    assert cli("resume", "task/analyze-story").out == "task/analyze-story was not paused by anybody\n"
    assert cli("paused").out == "nothing is paused\n"


def test_an_unknown_target_ends_with_status_2(cli: Callable[..., Ran]) -> None:
    done = cli("pause", "task/analyse-story")
    assert done.status == 2
    assert "did you mean 'task/analyze-story'?" in done.err


def test_resume_says_that_the_file_pauses_too(cli: Callable[..., Ran], make_task: Callable[..., None]) -> None:
    make_task("analyze-story", paused=True)
    assert "stays paused: jobs.yaml says so" in cli("resume", "task/analyze-story").out
