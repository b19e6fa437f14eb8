"""``pause``, ``paused`` and ``resume`` of targets."""

from collections.abc import Callable

import pytest

from tests.zeke_jobs.commands import Ran


@pytest.fixture(autouse=True)
def task(make_task: Callable[..., None]) -> None:
    make_task("analyze-story")


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
    (one,) = cli("paused", "--json").json
    assert (one["target"], one["reason"], one["waiting"]) == ("task/analyze-story", "the model is down", 0)
    assert cli("resume", "task/analyze-story").out == "task/analyze-story is resumed\n"
    assert cli("resume", "task/analyze-story").out == "task/analyze-story was not paused by anybody\n"
    assert cli("paused").out == "nothing is paused\n"


def test_resume_says_that_the_file_pauses_too(cli: Callable[..., Ran], make_task: Callable[..., None]) -> None:
    make_task("analyze-story", paused=True)
    assert "stays paused: jobs.yaml says so" in cli("resume", "task/analyze-story").out
