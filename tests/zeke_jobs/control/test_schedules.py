"""Operators pause, resume, run and backfill schedules."""

from datetime import timedelta

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.scheduler.conftest import MINUTE, NINE, World, shown
from zeke_jobs.control import actions
from zeke_jobs.errors import QueueFull


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


def test_a_run_now_sends_the_payload_for_no_tick_even_while_paused(world: World) -> None:
    actions.pause(world.conn, "schedule/pull", by="ann@here")
    job = actions.run_now(world.conn, "pull")
    [row] = world.rows("SELECT message_id::text AS id, message, scheduled_for FROM zeke_jobs.queue")
    assert (row["id"], row["message"]["kwargs"], row["scheduled_for"]) == (str(job), {"reason": "schedule"}, None)


def test_a_backfill_sends_each_tick_that_has_no_job(world: World) -> None:
    world.beat(NINE + 5 * MINUTE)
    world.beat(NINE + 10 * MINUTE)  # The tick is skipped because the job of the tick before still runs.
    world.at(NINE + 21 * MINUTE)
    ticks = actions.backfill(world.conn, "pull", NINE, NINE + 15 * MINUTE)
    assert [shown(tick) for tick in ticks] == ["09:00 sent", "09:05 skipped sent before", "09:10 sent", "09:15 sent"]
    assert world.jobs() == ["09:00", "09:05", "09:10", "09:15"]
    assert [row["origin"] for row in world.ticks()] == ["backfill", "schedule", "backfill", "backfill"]
    again = actions.backfill(world.conn, "pull", NINE, NINE + 15 * MINUTE)
    assert {tick.reason for tick in again} == {"sent before"}


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
