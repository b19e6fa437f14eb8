"""``pause``, ``paused`` and ``resume`` of targets."""

from tests.zeke_jobs.commands import Cli, MakeTask


def test_pause_paused_and_resume_say_what_they_did(cli: Cli, make_task: MakeTask) -> None:
    make_task("analyze-story")
    paused = cli("pause", "task/analyze-story", "--reason", "the model is down")
    assert paused == (0, "task/analyze-story is paused\n", "")
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
    make_task("analyze-story", paused=True)
    assert "stays paused: jobs.yaml says so" in cli("resume", "task/analyze-story").out
