"""Operators see, pause, resume, run and backfill schedules, with ``zeke-jobs schedule`` or in a program."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.commands import Cli, Patch
from tests.zeke_jobs.scheduler.conftest import MINUTE, NINE, World, shown
from zeke_jobs.control import actions
from zeke_jobs.errors import QueueFull


@pytest.fixture
def command(world: World, cli: Cli, monkeypatch: Patch) -> Iterator[Cli]:
    """Add two schedules, set the local time zone to Tokyo, and run ``zeke-jobs schedule``."""
    world.put("nightly", at="30 2 * * *", timezone="Europe/Paris")
    world.put("pull")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield lambda *arguments: cli("schedule", *arguments)
    monkeypatch.undo()
    time.tzset()


def test_the_list_shows_fires_in_zone_and_local_time_pauses_and_silence(world: World, command: Cli) -> None:
    nightly, pull = command().says().splitlines()[1:]
    assert "30 2 * * *   Europe/Paris  Thu 2025-06-05 02:30  Thu 2025-06-05 09:30" in nightly
    assert "*/5 * * * *  UTC           Wed 2025-06-04 09:05  Wed 2025-06-04 18:05" in pull
    world.beat(NINE + 5 * MINUTE)
    command().says("created")
    world.beat(NINE + 10 * MINUTE)
    command().says("overlap: the job of 2025-06-04 09:05 UTC is queued")
    actions.pause(world.conn, "schedule/pull", by="ann@here", reason="feed [broken]")
    ran = command()
    assert "paused by ann@here since Wed 2025-06-04 18:10: feed [broken]" in ran.out
    assert ran.err == "warning: no scheduler has run for 10m; start one: periodiq zeke_jobs.actors\n"


def test_the_list_shows_why_one_never_ticks(world: World, command: Cli) -> None:
    world.put("pull", at="99 * * * *")
    world.put("third", timezone="Mars/Olympus")
    nightly, pull, third = command().says().splitlines()[1:]
    assert "Thu 2025-06-05 02:30" in nightly
    assert "never ticks: expected a schedule that can be read, got pull: expected minute 0-59, got 99" in pull
    assert "no time zone 'Mars/Olympus' here" in third
    assert command("--json").json[0]["fault"] is None
    for arguments in (("--next", "2", "pull"), ("run", "pull")):
        command(*arguments).says("expected minute 0-59, got 99", status=1)


def test_the_next_fires_and_a_run_answer_in_json_and_a_backfill_has_a_dry_run(world: World, command: Cli) -> None:
    _, out, _ = command("--next", "2", "nightly")
    days = [f"{day} 02:30 {day} 09:30" for day in ("Thu 2025-06-05", "Fri 2025-06-06")]
    assert [" ".join(line.split()) for line in out.splitlines()[1:]] == days
    nightly, pull = command("--json").json
    assert (nightly["task"], nightly["next_tick"], nightly["paused"]) == ("nightly", "2025-06-05T00:30:00Z", False)
    assert pull["options"] == {"missed": "latest", "window": 86400, "overlap": "skip", "jitter": 0}
    assert command("--json", "--next", "1", "pull").json == ["2025-06-04T09:05:00Z"]
    assert list(command("run", "pull", "--json").json) == ["id"]
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
        command(*wrong).says(message, status=2)


@pytest.fixture
def world(conn: Connection) -> World:
    made = World(conn)
    made.put(payload={"reason": "schedule"})
    return made


def test_a_pause_is_kept_with_its_author_and_what_it_skipped_is_not_made_up_for(world: World) -> None:
    world.put(missed="all", payload={"reason": "schedule"})
    assert actions.pause(world.conn, "schedule/pull", by="ann@here", reason="feed is broken")
    assert world.beat(NINE + 5 * MINUTE) == ["09:05 skipped paused by ann@here since 2025-06-04 09"]
    paused = [world.schedule()[name] for name in ("paused", "paused_by", "paused_on", "pause_reason")]
    assert paused == [True, "ann@here", NINE, "feed is broken"]
    world.at(NINE + 12 * MINUTE)
    assert actions.resume(world.conn, "schedule/pull")
    assert not actions.resume(world.conn, "schedule/pull")
    assert world.beat(NINE + 16 * MINUTE) == ["09:15 sent"]


def test_a_backfill_sends_each_tick_that_has_no_job(world: World) -> None:
    world.beat(NINE + 5 * MINUTE)
    world.beat(NINE + 10 * MINUTE)  # The tick is skipped because the job of the tick before still runs.
    world.at(NINE + 21 * MINUTE)
    ticks = actions.backfill(world.conn, "pull", NINE, NINE + 15 * MINUTE)
    assert [shown(tick) for tick in ticks] == ["09:00 sent", "09:05 skipped sent before", "09:10 sent", "09:15 sent"]
    assert world.jobs() == ["09:00", "09:05", "09:10", "09:15"]
    assert [row["origin"] for row in world.ticks()] == ["backfill", "schedule", "backfill", "backfill"]
    assert {tick.reason for tick in actions.backfill(world.conn, "pull", NINE, NINE + 15 * MINUTE)} == {"sent before"}


def test_backfilled_ticks_are_not_sent_again_by_the_schedule_nor_do_they_keep_its_ticks_out(world: World) -> None:
    world.put(missed="all")
    world.beat(NINE)
    world.at(NINE + 4 * MINUTE)
    actions.backfill(world.conn, "pull", NINE - timedelta(hours=1), NINE - MINUTE)
    world.at(NINE + 11 * MINUTE)
    actions.backfill(world.conn, "pull", NINE + 5 * MINUTE, NINE + 5 * MINUTE)
    assert world.beat(NINE + 11 * MINUTE) == ["09:10 sent"]


def test_what_cannot_be_sent_is_refused_by_name(world: World) -> None:
    with pytest.raises(ValueError, match="expected at most 10000 ticks, got more"):
        actions.backfill(world.conn, "pull", NINE - timedelta(days=3650), NINE)
    world.put("plain", at=None)
    with pytest.raises(actions.NoSchedule, match="got plain, which has no cron"):
        actions.run_now(world.conn, "plain")
    world.put("small", max_queued=1)
    actions.run_now(world.conn, "small")
    with pytest.raises(QueueFull):
        actions.run_now(world.conn, "small")
