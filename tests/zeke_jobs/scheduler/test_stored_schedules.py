"""Programs can store schedules, which work beside those of jobs.yaml and follow the same rules."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs import schedules
from zeke_jobs.control import actions
from zeke_jobs.errors import InvalidPayload, UnknownTask
from zeke_jobs.scheduler import dispatch
from zeke_jobs.testing import set_clock

TASKS = """
  digest: {handler: 'H:echo', cron: "0 6 * * *"}
  plain: {handler: 'H:echo', aliases: [former]}
"""
MIDNIGHT = datetime(2026, 3, 10, 0, 0, tzinfo=UTC)
GOOD = {"name": "'plain/one'", "at": "'0 8 * * *'", "timezone": "'UTC'", "key": "NULL", "options": "'{}'"}


@pytest.fixture
def jobs(conn: Connection) -> Jobs:
    made = Jobs(conn)
    set_clock(conn, MIDNIGHT)
    made.use(TASKS)
    return made


def beat(jobs: Jobs, **passed: float) -> None:
    set_clock(jobs.conn, MIDNIGHT + timedelta(**passed))
    dispatch.beat(jobs.conn)


def sent(jobs: Jobs) -> list[tuple[str | None, str]]:
    ticks = "SELECT extra ->> 'schedule' AS name, scheduled_for AS at FROM zeke_jobs.queue ORDER BY 2, 1"
    return [(row["name"], f"{row['at']:%H:%M}") for row in jobs.rows(ticks) if row["at"]]


def test_each_tenant_has_its_digest_in_its_own_zone_with_its_own_payload(jobs: Jobs) -> None:
    schedules.put("digest/paris", task="digest", at="0 8 * * *", timezone="Europe/Paris", payload={"n": 1}, key="paris")
    schedules.put("digest/kathmandu", task="digest", at="0 8 * * *", timezone="Asia/Kathmandu", payload={"n": 2})
    for hour in range(12):
        beat(jobs, hours=hour, minutes=20)
        dispatch.beat(jobs.conn)
    assert sent(jobs) == [("digest/kathmandu", "02:15"), (None, "06:00"), ("digest/paris", "07:00")]
    data = "SELECT key, message -> 'kwargs' AS data FROM zeke_jobs.queue WHERE extra ->> 'schedule' = 'digest/paris'"
    assert jobs.rows(data) == [{"key": "paris", "data": {"n": 1}}]


def test_overlap_is_of_each_schedule_alone(jobs: Jobs) -> None:
    schedules.put("plain/one", task="plain", at="0 * * * *")
    schedules.put("plain/two", task="plain", at="30 * * * *")
    for minutes in (30, 60, 90, 120):
        beat(jobs, minutes=minutes)
    assert sent(jobs) == [("plain/two", "00:30"), ("plain/one", "01:00")]
    (found,) = [one for one in schedules.list() if one.name == "plain/one"]
    assert (found.last_outcome, found.last_tick) == ("skipped", MIDNIGHT + timedelta(hours=2))


def test_a_change_fires_nothing_from_before_it_and_putting_it_again_changes_nothing(jobs: Jobs) -> None:
    beat(jobs, hours=3)
    schedules.put("plain/one", task="plain", at="0 1 * * *")
    dispatch.beat(jobs.conn)
    assert sent(jobs) == []
    schedules.put("plain/one", task="former", at="0 4 * * *")
    set_clock(jobs.conn, MIDNIGHT + timedelta(hours=4))
    schedules.put("plain/one", task="plain", at="0 4 * * *")
    dispatch.beat(jobs.conn)
    assert sent(jobs) == [("plain/one", "04:00")]
    assert len(jobs.rows("SELECT 1 FROM zeke_jobs.audit WHERE action = 'put'")) == 2


def test_operators_pause_run_and_backfill_it_by_its_name(jobs: Jobs) -> None:
    schedules.put("plain/one", task="plain", at="0 * * * *", payload={"n": 9})
    assert actions.pause(jobs.conn, "schedule/plain/one", by="me")
    beat(jobs, hours=1)
    assert sent(jobs) == []
    assert zeke_jobs.status(actions.run_now(jobs.conn, "plain/one")).data == {"n": 9}
    assert sent(jobs) == [], "a run by hand is for no tick"
    assert actions.resume(jobs.conn, "schedule/plain/one")
    actions.backfill(jobs.conn, "plain/one", MIDNIGHT + timedelta(minutes=30), MIDNIGHT + timedelta(hours=1))
    assert ("plain/one", "01:00") in sent(jobs)
    assert actions.next_ticks(jobs.conn, "plain/one", 1) == [MIDNIGHT + timedelta(hours=2)]


def test_sql_puts_lists_and_deletes_and_a_deleted_schedule_never_ticks(jobs: Jobs, other_conn: Connection) -> None:
    given = """'plain/sql', 'former', '0 8 * * mon-fri', 'Europe/Paris', '{"storyId": "x"}'"""
    jobs.rows(f"SELECT zeke_jobs.put_schedule({given})")
    assert jobs.rows("SELECT task, cron, timezone, payload FROM zeke_jobs.schedule WHERE schedule = 'plain/sql'") == [
        {"task": "plain", "cron": "0 8 * * mon-fri", "timezone": "Europe/Paris", "payload": {"story_id": "x"}}
    ]
    listed = jobs.rows("SELECT name, key FROM pgboss.schedule ORDER BY key")
    assert listed == [{"name": "digest", "key": ""}, {"name": "plain", "key": "plain/sql"}]
    assert jobs.rows("SELECT zeke_jobs.delete_schedule('plain/sql') AS gone") == [{"gone": True}]
    schedules.put("plain/one", task="plain", at="* * * * *")
    with pytest.raises(ValueError, match="no"), zeke_jobs.transaction(other_conn):
        schedules.put("plain/two", task="plain", at="* * * * *", connection=other_conn)
        raise ValueError("no")
    assert schedules.delete("plain/one")
    assert not schedules.delete("plain/one")
    beat(jobs, minutes=5)
    assert sent(jobs) == []
    assert [one.name for one in schedules.list()] == ["digest"]


def test_what_could_never_tick_is_refused_and_the_longest_lengths_are_accepted(jobs: Jobs) -> None:
    for task, payload, error in (("plane", {}, UnknownTask), ("plain", {"m": 1}, InvalidPayload)):
        with pytest.raises(error):
            schedules.put("plain/one", task=task, payload=payload, at="0 8 * * *")
        put = "SELECT zeke_jobs.put_schedule('plain/one', %s, '0 8 * * *', 'UTC', %s::jsonb)"
        with pytest.raises(psycopg2.Error, match=r"expected|payload"):
            jobs.rows(put, task, json.dumps(payload))
    longest = timedelta(days=36525)
    schedules.put("plain/one", task="plain", at="@Daily", window=longest, jitter=longest, key="x" * 1024)
    schedules.put("plain/two", task="plain", at="*/5 0,12 1-7\t JAN-mar mon-FRI")
    beat(jobs, days=1)
    assert ("plain/one", "00:00") in sent(jobs)


@each(
    "said",
    {"missed": "x"}, {"missed": None}, {"overlap": "x"}, {"key": "x" * 1025}, {"key": ""}, {"key": 5}, {"at": 5}, {"at": None},
    {"timezone": "localtime"}, {"timezone": "posixrules"}, {"timezone": 5}, {"timezone": None}, {"window": timedelta(days=800_000)},
    {"window": timedelta(seconds=-1)}, {"jitter": timedelta(days=36526)}, {"jitter": timedelta(seconds=-1)},
    {"name": "plain/a\nb"}, {"name": "plain/\u2028"}, {"name": "plain"}, {"at": "0 8 * *"}, {"timezone": "Europe/Parris"},
)  # fmt: skip
def test_a_wrong_value_is_a_value_error_in_words(jobs: Jobs, said: dict[str, Any]) -> None:
    good: dict[str, Any] = {"name": "plain/one", "task": "plain", "at": "0 8 * * *", **said}
    with pytest.raises(ValueError, match=r"^expected |^the cron line of plain/one: "):
        schedules.put(good.pop("name"), **good)
    assert jobs.rows("SELECT 1 FROM zeke_jobs.stored_schedule") == []


@each(
    "said",
    {"name": "NULL"}, {"name": "'plain'"}, {"at": "'0 8 * *'"}, {"timezone": "'Europe/Parris'"}, {"name": r"E'plain/a\nb'"}, {"at": "NULL"}, {"at": "'@foo'"}, {"at": "'@reboot'"}, {"at": "'a ? b c d'"},
    {"at": r"E'0 8 * *\n*'"}, {"timezone": "NULL"}, {"timezone": "'localtime'"}, {"key": "''"}, {"options": "'[]'"},
    *({"options": f"'{text}'"} for text in (
        '{"missed": null}', '{"overlap": null}', '{"window": 1e300}', '{"window": -1}', '{"window": null}', '{"window": "5"}',
        '{"window": true}', '{"jitter": 3155760001}', '{"jitter": []}', '{"paused": null}')),
)  # fmt: skip
def test_sql_refuses_it_too(jobs: Jobs, said: dict[str, str]) -> None:
    put = "SELECT zeke_jobs.put_schedule({name}, 'plain', {at}, {timezone}, '{{}}', {key}, {options})"
    jobs.rows(put.format(**GOOD))
    with pytest.raises(psycopg2.Error, match=r"^expected ") as refused:
        jobs.rows(put.format(**{**GOOD, **said}))
    assert refused.value.pgcode == "22023"


NAMED = """
  digest: {handler: 'H:echo', aliases: [former], cron: [
    {name: day, at: "0 6 * * *", payload: {n: 1}}, {name: week, at: "0 6 * * tue", payload: {n: 7}, key: weekly}]}
"""


def test_a_task_has_several_schedules_in_the_file(jobs: Jobs) -> None:
    jobs.use(NAMED)
    beat(jobs, hours=6)
    assert sent(jobs) == [("digest/day", "06:00"), ("digest/week", "06:00")]
    rows = jobs.rows("SELECT key, message #>> '{kwargs,n}' AS n FROM zeke_jobs.queue ORDER BY extra ->> 'schedule'")
    assert rows == [{"key": None, "n": "1"}, {"key": "weekly", "n": "7"}]
    with pytest.raises(actions.NoSchedule, match="digest/day, digest/week"):
        actions.find(jobs.conn, "digest")
    assert actions.pause(jobs.conn, "schedule/digest/day", by="me")
