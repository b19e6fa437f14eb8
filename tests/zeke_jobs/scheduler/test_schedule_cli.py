"""People use ``zeke-jobs schedule`` to see and change schedules."""

import time
from collections.abc import Iterator

import pytest

from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.scheduler.conftest import MINUTE, NINE, World
from zeke_jobs.control import actions


@pytest.fixture(autouse=True)
def in_tokyo(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add two schedules, and set the local time zone to Tokyo."""
    world.put("nightly", at="30 2 * * *", timezone="Europe/Paris")
    world.put("pull")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def command(cli: Cli) -> Cli:
    return lambda *arguments: cli("schedule", *arguments)


def test_the_list_shows_fires_in_zone_and_local_time_pauses_and_silence(world: World, command: Cli) -> None:
    status, out, err = command()
    assert (status, err) == (0, "")
    nightly, pull = out.splitlines()[1:]
    assert "30 2 * * *   Europe/Paris  Thu 2025-06-05 02:30  Thu 2025-06-05 09:30" in nightly
    assert "*/5 * * * *  UTC           Wed 2025-06-04 09:05  Wed 2025-06-04 18:05" in pull
    world.beat(NINE + 5 * MINUTE)
    assert "created" in command().out
    world.beat(NINE + 10 * MINUTE)
    assert "overlap: the job of 2025-06-04 09:05 UTC is queued" in command().out
    actions.pause(world.conn, "schedule/pull", by="ann@here", reason="feed [broken]")
    ran = command()
    assert "paused by ann@here since Wed 2025-06-04 18:10: feed [broken]" in ran.out
    assert ran.err == "warning: no scheduler has run for 10m; start one: periodiq zeke_jobs.actors\n"


def test_the_list_shows_why_one_never_ticks(world: World, command: Cli) -> None:
    world.put("pull", at="99 * * * *")
    world.put("third", timezone="Mars/Olympus")
    status, out, _ = command()
    nightly, pull, third = out.splitlines()[1:]
    assert status == 0
    assert "Thu 2025-06-05 02:30" in nightly
    assert "never ticks: expected a schedule that can be read, got pull: expected minute 0-59, got 99" in pull
    assert "no time zone 'Mars/Olympus' here" in third
    assert command("--json").json[0]["fault"] is None
    for arguments in (("--next", "2", "pull"), ("run", "pull")):
        status, _, err = command(*arguments)
        assert (status, "expected minute 0-59, got 99" in err) == (1, True)


def test_the_next_fires_and_a_run_and_answers_in_json(world: World, command: Cli) -> None:
    _, out, _ = command("--next", "2", "nightly")
    assert [" ".join(line.split()) for line in out.splitlines()[1:]] == [
        "Thu 2025-06-05 02:30 Thu 2025-06-05 09:30",
        "Fri 2025-06-06 02:30 Fri 2025-06-06 09:30",
    ]
    nightly, pull = command("--json").json
    assert (nightly["task"], nightly["next_tick"], nightly["paused"]) == ("nightly", "2025-06-05T00:30:00Z", False)
    assert pull["options"] == {"missed": "latest", "window": 86400, "overlap": "skip", "jitter": 0}
    assert command("--json", "--next", "1", "pull").json == ["2025-06-04T09:05:00Z"]
    assert list(command("run", "pull", "--json").json) == ["id"]


def test_backfill_with_and_without_a_dry_run_and_wrong_use(world: World, command: Cli) -> None:
    given = ("backfill", "pull", "--from", "2025-06-04T08:50Z", "--to", "2025-06-04T10:55+02:00")
    _, out, _ = command(*given, "--dry-run")
    assert [line.strip().split(maxsplit=3) for line in out.splitlines()[1:]] == [
        ["2025-06-04", "08:50", "UTC", "would be sent"],
        ["2025-06-04", "08:55", "UTC", "would be sent"],
    ]
    assert world.jobs() == []
    command(*given)
    assert world.jobs() == ["08:50", "08:55"]

    for wrong, message in (
        (("backfill", "pull", "--from", "yesterday"), "expected a time such as"),
        (("backfill", "pull", "--from", "2030-01-01"), "expected a range that has passed"),
        (("run", "pul"), "expected the name of a task"),
    ):
        status, _, err = command(*wrong)
        assert (status, message in err) == (2, True)
