"""These tests cover overrides: names, values, overrides that survive a new file, and removal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from tests.fleet import query
from tests.zeke_jobs.revisions.world import BASE, TOP, apply, load
from zeke_jobs.config import Schedule
from zeke_jobs.config.limits import Concurrency
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.overrides import carried, read_path, read_value
from zeke_jobs.revisions.store import Override
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.life import chores

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def override(key: str, value: Any, **more: Any) -> Override:
    return Override(tuple(key.split(".")), value, "me", "slow", NOW, **more)


CONCURRENCY = override("tasks.analyze.concurrency", 3)


def test_a_name_means_a_place_of_the_file_and_a_value_is_read_as_in_the_file() -> None:
    tasks = BASE + "  dotted: {handler: 'H:work', aliases: [old.name]}\n"
    file = load(tasks, TOP + "\nservices: {web: {use: 'H:Address'}}")
    places = {
        "analyze.concurrency": ("tasks", "analyze", "concurrency"),
        "tasks.analyze.retry.limit": ("tasks", "analyze", "retry", "limit"),
        "old.name.timeout": ("tasks", "dotted", "timeout"),
        "limits.ai.rate": ("limits", "ai", "rate"),
        "services.web.url": ("services", "web", "url"),
        "defaults.retry.limit": ("defaults", "retry", "limit"),
        "timezone": ("timezone",),
    }
    assert {text: read_path(text, file) for text in places} == places
    values = {"3": 3, "5m": "5m", "[a, b]": ["a", "b"], "{limit: 2}": {"limit": 2}, "true": True, '"3"': "3"}
    values |= {"*/5 * * * *": "*/5 * * * *", "@daily": "@daily"}
    assert {text: read_value(text) for text in values} == values


def test_a_new_file_keeps_what_is_set_unless_it_says_the_same_or_lacks_the_task() -> None:
    assert carried(load(), [CONCURRENCY]) == ([CONCURRENCY], [])
    same = carried(load(BASE.replace("concurrency: 5", "concurrency: 3")), [CONCURRENCY])
    assert same == ([], ["analyze.concurrency is no longer set by hand: the file has the same value"])
    gone = carried(load("  other: {handler: 'H:work'}"), [CONCURRENCY])
    assert gone[1] == ["analyze.concurrency is no longer set by hand: analyze left the file"]


def test_a_value_may_go_inside_a_short_form_or_where_nothing_is() -> None:
    keys: dict[str, Any] = {"tasks.analyze.concurrency.per_key": 2, "tasks.analyze.paused": True}
    keys |= {"tasks.pull.cron.timezone": "Europe/Paris", "tasks.score.settings.words": ["x"], "limits.ai.rate": "30/m"}
    found = load(edits=store.edits([override(key, value) for key, value in keys.items()]))
    analyze, pull = found.tasks["analyze"], found.tasks["pull"]
    assert (analyze.concurrency, analyze.paused) == (Concurrency(limit=5, per_key=2), True)
    assert pull.cron == Schedule(at="*/5 * * * *", timezone="Europe/Paris")
    assert (found.tasks["score"].settings, str(found.limits["ai"].rate)) == ({"words": ["x"]}, "30/m")


def test_what_the_file_says_sets_nothing_and_a_booting_file_in_force_turns_back_nothing(conn: Connection) -> None:
    applying.sync(conn, load())
    same = override("tasks.analyze.concurrency", 5)
    assert not apply(conn, load(), origin="set", overrides=[same]).is_new
    apply(conn, load(), by="me", message="slow", origin="set", overrides=[CONCURRENCY])
    booted = applying.sync(conn, load())
    assert (booted.revision, booted.is_file) == (2, True)
    assert booted.config.tasks["analyze"].concurrency.limit == 3
    assert query(conn, "SELECT concurrency FROM zeke_jobs.bucket WHERE name = 'task/analyze'") == [(3,)]


def over(conn: Connection, key: str, value: Any) -> None:
    """Put an override in force whose time has passed."""
    applying.sync(conn, load())
    past = override(key, value, until=NOW - timedelta(days=999))
    apply(conn, load(), by="me", message="slow", origin="set", overrides=[past])


def test_a_scheduler_alone_takes_back_what_is_over_and_so_does_a_worker(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(conn, "tasks.pull.cron.timezone", "Asia/Tokyo")
    monkeypatch.setattr(beat, "obey_signals", lambda: None)
    monkeypatch.setattr(beat, "_PROCESS", beat._Process())
    beat.beat(None, lambda _: 1)
    said = query(conn, "SELECT cron ->> 'timezone', w.revision, w.file_revision FROM zeke_jobs.task, zeke_jobs.worker AS w WHERE cron IS NOT NULL")  # fmt: skip
    assert said == [("UTC", 3, 1)]
    over(conn, "tasks.analyze.concurrency", 3)
    ((due,),) = query(conn, "SELECT zeke_jobs.chores()")
    chores.do(conn, due)
    assert query(conn, "SELECT concurrency FROM zeke_jobs.bucket WHERE name = 'task/analyze'") == [(5,)]


def test_a_file_is_looked_up_as_it_is_on_the_disk(conn: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    first, second = load(), load(BASE.replace("concurrency: 5", "concurrency: 8"))
    file = tmp_path / "jobs.yaml"
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(file))
    for config in (first, second):
        applying.sync(conn, config)
    for text, number in ((second.text, 2), (first.text, 1), ("never in force", 7)):
        file.write_text(text)
        assert applying.file_revision(conn, 7) == number
    file.unlink()
    assert applying.file_revision(conn, 7) == 7
