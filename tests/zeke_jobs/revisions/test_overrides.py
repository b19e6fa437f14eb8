"""A timed override hides a permanent one. These tests cover names, values, ends, and overrides that survive a new file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from tests.fleet import query
from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.revisions.world import BASE, TOP, apply, latest, load, planned, text
from zeke_jobs.config import Schedule
from zeke_jobs.config.limits import Concurrency
from zeke_jobs.control import actions
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.applying import Applied
from zeke_jobs.revisions.overrides import after, carried, lasting, read_path, read_value, with_overrides
from zeke_jobs.revisions.store import Override, visible
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.life import chores

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
LIMIT, PER_KEY, BOTH = "analyze.concurrency.limit", "analyze.concurrency.per_key", "analyze.concurrency"


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def override(key: str, value: Any, until: float | None = None, why: str = "why") -> Override:
    """Make an override of a key of jobs.yaml that ends ``until`` hours after NOON."""
    return Override(tuple(key.split(".")), value, "me", why, NOON, None if until is None else at(until))


def one(key: str, *said: Any, **more: Any) -> Override:
    return override(f"tasks.{key}", *said, **more)


def values(overrides: Any) -> dict[str, Any]:
    return {override.label: override.value for override in visible(overrides)}


def put(conn: Connection, *new: Override) -> Applied:
    return applying.set_by_hand(conn, lambda _, before: with_overrides(before, new), by="me", message="why")


def limit(conn: Connection) -> int | None:
    return latest(conn).config().tasks["analyze"].concurrency.limit


def test_what_was_set_for_good_comes_back_when_a_time_ends(conn: Connection, other_conn: Connection) -> None:
    applying.sync(conn, load())
    put(conn, one(BOTH, 3, why="slow"))
    put(conn, one(BOTH, 1, until=1, why="incident"))
    last = latest(conn)
    assert one(BOTH, 1, until=1, why="incident") in last.overrides
    assert (limit(conn), last.config().digest) == (1, load().digest)
    # Only the first of two callers reverts the override that has ended.
    assert [done is None for done in (applying.revert_due(conn), applying.revert_due(other_conn))] == [False, True]
    last = latest(conn)
    assert (last.number, last.origin, last.overrides) == (4, "revert", (one(BOTH, 3, why="slow"),))
    assert last.message == "analyze.concurrency was set until now (incident), back to 3 (slow)"


@pytest.mark.parametrize(
    ("sets", "then"),
    [
        ([(BOTH, 3), (BOTH, 1, 1)], [{BOTH: 1}, {BOTH: 3}]),
        ([(LIMIT, 3), (PER_KEY, 2), (BOTH, 1, 1)], [{BOTH: 1}, {LIMIT: 3, PER_KEY: 2}]),
        ([(LIMIT, 3), (BOTH, 1, 1), (PER_KEY, 1)], [{BOTH: 1, PER_KEY: 1}, {LIMIT: 3, PER_KEY: 1}]),
        ([(LIMIT, 3), (BOTH, 1, 1), (LIMIT, 2)], [{BOTH: 1, LIMIT: 2}, {LIMIT: 2}]),
        # A later permanent override replaces a timed override for good.
        ([(BOTH, 3), (BOTH, 1, 1), (BOTH, 2)], [{BOTH: 2}, {BOTH: 2}]),
        # Of two timed overrides, the one that ends later applies again after the other has ended.
        ([(BOTH, 3), (BOTH, 1, 2), (BOTH, 2, 1)], [{BOTH: 2}, {BOTH: 1}, {BOTH: 3}]),
        ([(BOTH, 3), (BOTH, 1, 1), (BOTH, 2, 2)], [{BOTH: 2}, {BOTH: 2}, {BOTH: 3}]),
        ([(BOTH, 1, 1)], [{BOTH: 1}, {}]),
    ],
)
def test_each_end_leaves_what_was_set_for_longer(sets: list[tuple[Any, ...]], then: list[dict[str, Any]]) -> None:
    overrides: list[Override] = []
    for said in sets:
        overrides = with_overrides(overrides, [one(*said)])
    assert [values(after(overrides, at(hour))) for hour in range(len(then))] == then
    assert values(lasting(overrides)) == then[-1]
    assert values(after(after(overrides, at(1)), at(9))) == then[-1]


def test_values_must_fit_together_also_when_a_time_is_over(conn: Connection) -> None:
    applying.sync(conn, load())
    put(conn, one(PER_KEY, 15), one(LIMIT, 20))
    assert limit(conn) == 20
    apply(conn, load(), overrides=[])
    put(conn, one(LIMIT, 20, until=1))
    with pytest.raises(ConfigurationError, match=r"when analyze\.concurrency\.limit ends at 2026-03-10 13:00:00 UTC"):
        put(conn, one(PER_KEY, 15))
    assert limit(conn) == 20
    put(conn, one(PER_KEY, 15, until=0.5))
    assert applying.revert_due(conn) is not None
    assert limit(conn) == 5


def test_a_file_beside_which_a_time_could_not_end_is_refused(conn: Connection) -> None:
    applying.sync(conn, load())
    put(conn, one(PER_KEY, 4), one(LIMIT, 20, until=1))
    lower = load(BASE.replace("concurrency: 5", "concurrency: 3"))
    for change in (planned, apply):
        with pytest.raises(ConfigurationError, match="ends at"):
            change(conn, lower)
    assert applying.revert_due(conn) is not None


@pytest.fixture
def file(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    (tmp_path / "jobs.yaml").write_text(text())
    monkeypatch.chdir(tmp_path)
    cli("apply", "-m", "first")


@pytest.mark.usefixtures("file")
def test_the_commands_say_what_it_reverts_to_and_a_rollback_finds_it(cli: Cli) -> None:
    cli("set", "analyze.concurrency=3", "-m", "slow")
    ran = cli("set", "analyze.concurrency=1", "-m", "incident", "--for", "1h")
    assert ran.status == 0
    assert " UTC, then 3: incident\n" in ran.out
    assert "5 → " not in cli("set", "--clear", "analyze.concurrency").out
    assert "the file says 5, in force 3" in cli("plan").out
    cli("set", "--clear", "analyze.concurrency")
    assert "in force" in cli("rollback", 3).out
    assert "the file says 5, in force 3" in cli("plan").out


def test_a_pause_for_a_time_is_shown_with_its_end_and_resume_says_what_ends_it(conn: Connection, cli: Cli) -> None:
    applying.sync(conn, load())
    put(conn, one("analyze.paused", True, until=1, why="lunch"))
    (pause,) = actions.paused(conn)
    assert (pause.paused_by, pause.reason, pause.ends_on, pause.set_key) == ("me", "lunch", at(1), "analyze.paused")
    said = "task/analyze stays paused by me; zeke-jobs set --clear analyze.paused ends it\n"
    assert cli("resume", "task/analyze").out == said


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


def test_a_new_file_keeps_what_is_set_unless_it_says_the_same_for_good_or_lacks_the_task() -> None:
    assert carried(load(), [CONCURRENCY]) == ([CONCURRENCY], [])
    same = carried(load(BASE.replace("concurrency: 5", "concurrency: 3")), [CONCURRENCY])
    assert same == ([], ["analyze.concurrency is no longer set by hand: the file has the same value"])
    gone = carried(load("  other: {handler: 'H:work'}"), [CONCURRENCY])
    assert gone[1] == ["analyze.concurrency is no longer set by hand: analyze left the file"]
    overrides = with_overrides([one(BOTH, 3)], [one(BOTH, 1, until=1)])
    for_now = load(BASE.replace("concurrency: 5", "concurrency: 1"))
    assert carried(for_now, overrides)[0] == overrides
    assert values(carried(for_now, lasting(overrides))[0]) == {BOTH: 3}


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
    """Put an override in force that has already ended."""
    applying.sync(conn, load())
    past = override(key, value, until=-24 * 999)
    apply(conn, load(), by="me", message="slow", origin="set", overrides=[past])


def test_a_scheduler_and_a_worker_take_back_what_is_over(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
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
    for content, number in ((second.text, 2), (first.text, 1), ("never in force", 7)):
        file.write_text(content)
        assert applying.file_revision(conn, 7) == number
    file.unlink()
    assert applying.file_revision(conn, 7) == 7
