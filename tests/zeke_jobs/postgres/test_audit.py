"""The audit trail stores the database user and the caller's name, and nobody can change the trail."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.errors import InsufficientPrivilege, InvalidParameterValue
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.commands import Cli, Patch
from tests.zeke_jobs.postgres.members import MEMBERS, TASKS, as_member, sign_up
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.control import actions
from zeke_jobs.core.environment import author
from zeke_jobs.postgres import roles, uninstall
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import applying
from zeke_jobs.worker.life import chores

OPERATOR = MEMBERS[roles.OPERATOR]


def listed(conn: Connection) -> list[str]:
    """Return the actions, the newest first."""
    return [action for (action,) in rows(conn, "SELECT action FROM zeke_jobs.audit ORDER BY number DESC")]


@pytest.fixture
def zeke(conn: Connection, database: str, cli: Cli, monkeypatch: Patch, tmp_path: Path) -> Callable[..., str]:
    """Run a command as an operator; ``FILE`` stands for a jobs.yaml that lacks one task of the revision in force."""
    monkeypatch.setenv("COLUMNS", "250")
    applying.sync(conn, load(TASKS + "  gone: {handler: 'H:echo'}\n"))
    sign_up(conn)
    file = tmp_path / "jobs.yaml"
    file.write_text(load(TASKS).text)
    monkeypatch.setenv("DATABASE_URL", as_member(database, roles.OPERATOR))

    def call(*arguments: object) -> str:
        ran = cli(*(file if one == "FILE" else one for one in arguments))
        assert (ran.status, ran.err) == (0, ""), arguments
        return ran.out

    return call


def test_every_change_by_hand_is_written_down_with_its_author(zeke: Callable[..., str], conn: Connection) -> None:
    roles.grant(conn)
    job, other, gone = (str(zeke_jobs.send(task, {"n": 1}).id) for task in ("echo", "echo", "gone"))
    for command in (
        ("cancel", job, "--reason", "not now"), ("retry", job), ("cancel", other), ("retry", "--task", "parrot", "--status", "cancelled"),
        ("pause", "queue/default", "--reason", "a fire"), ("pause", "queue/default"), ("resume", "queue/default"),
        ("pause", "schedule/tick"), ("resume", "schedule/tick"), ("schedule", "run", "tick"),
        ("schedule", "backfill", "tick", "--from", "2026-01-01T00:00", "--to", "2026-01-01T00:02"),
        ("apply", "FILE", "-m", "less", "--cancel", "gone"), ("set", "echo.priority=3", "-m", "a try"), ("rollback", 1, "-m", "back"),
        ("prioritise", job, "--priority", 2), ("reschedule", "--task", "echo", "--delay", "1h"), ("cancel", "--task", "echo", "--dry-run"),
        ("tasks",), ("history",), ("diff", 1, 2), ("compare", 1, 2),
    ):  # fmt: skip
        zeke(*command)
    entries = json.loads(zeke("audit", "--json"))
    by_hand = [row for row in entries if row["action"] not in ("boot", "roles")]
    assert {(row["login"], row["said_by"]) for row in by_hand} == {(OPERATOR, author())}
    found = [(row["action"], row["target"], row["reason"], row["jobs"] and len(row["jobs"])) for row in entries][::-1]
    assert found[0][:2] == ("boot", "revision/1")
    assert found[1] == ("roles", f"database/{conn.info.dbname}", None, None)
    assert found[2:-1] == [
        ("cancel", f"job/{job}", "not now", 1),
        ("retry", f"job/{job}", None, 1),
        ("cancel", f"job/{other}", None, 1),
        ("retry", "task/parrot", "cancelled", 1),
        ("pause", "queue/default", "a fire", None),
        ("resume", "queue/default", None, None),
        ("pause", "schedule/tick", None, None),
        ("resume", "schedule/tick", None, None),
        ("run", "schedule/tick", None, 1),
        ("backfill", "schedule/tick", "2026-01-01T00:00+0000 to 2026-01-01T00:02+0000", 3),
        ("cancel", "task/gone", "its task was removed from jobs.yaml", 1),
        ("apply", "revision/2", "less", None),
        ("set", "revision/3", "a try", None),
        ("rollback", "revision/4", "back", None),
        ("prioritise", f"job/{job}", "priority 2", 1),
    ]
    assert (found[-1][:2], found[-1][3]) == (("reschedule", "task/echo"), 2)
    assert all(row["done_on"] for row in entries)
    assert [row["target"] for row in json.loads(zeke("audit", "--target", gone, "--json"))] == ["task/gone"]


def test_filters_choose_by_person_action_target_and_time(conn: Connection, zeke: Callable[..., str]) -> None:
    first, second = (zeke_jobs.send("echo", {"n": n}).id for n in (1, 2))
    zeke_jobs.cancel(first, by="ann@here")
    zeke_jobs.cancel(second, by="bob@there")
    zeke_jobs.retry(first, by="bob@there")
    moment = value(conn, "SELECT done_on FROM zeke_jobs.audit WHERE action = 'retry'")

    def found(*options: object) -> list[str]:
        return [row["action"] for row in json.loads(zeke("audit", "--json", *options))]

    assert found("--who", "bob") == found("--who", "bob@there") == ["retry", "cancel"]
    assert found("--who", "ann") == ["cancel"]
    assert found("--who", OPERATOR) == ["retry", "cancel", "cancel"], "the login is not what the caller says"
    assert found("--who", OPERATOR, "--limit", "1") == ["retry"]
    assert found("--action", "retry", "--action", "boot") == ["retry", "boot"]
    assert found("--target", first) == ["retry", "cancel"]
    assert found("--target", f"job/{second}") == ["cancel"]
    assert found("--from", moment.isoformat()) == ["retry"]
    assert found("--to", moment.isoformat(), "--who", OPERATOR) == ["cancel", "cancel"]
    assert "nothing of this was changed by hand" in zeke("audit", "--who", "nobody")


@pytest.mark.usefixtures("database")
def test_not_even_the_owner_rewrites_it_before_its_time_by_a_slip(conn: Connection) -> None:
    applying.sync(conn, load(TASKS))
    actions.pause(conn, "task/echo", by="me")
    for slip in (
        "UPDATE zeke_jobs.audit SET said_by = 'you'",
        "DELETE FROM zeke_jobs.audit",
        "TRUNCATE zeke_jobs.audit",
    ):
        with pytest.raises(InsufficientPrivilege, match="to stay as they are for 400 days"):
            rows(conn, slip)
    assert listed(conn) == ["pause", "boot"]
    rows(conn, "INSERT INTO zeke_jobs.audit (action, target, done_on) VALUES ('old', 'x', now() - interval '401 days')")
    rows(conn, "UPDATE zeke_jobs.retention SET due_on = now() - interval '1 hour'")
    chores.purge_if_due(conn)
    assert listed(conn) == ["pause", "boot"]
    rows(conn, "SET client_min_messages = log")  # The server's log says who took it away.
    uninstall.uninstall(conn, uninstall.plan(conn, ()))
    assert any("zeke-jobs uninstall: postgres removed the schema zeke_jobs of " in note for note in conn.notices)


def test_an_operator_stops_no_schedule_by_the_schedulers_functions(conn: Connection, zeke: Callable[..., str]) -> None:
    zeke("schedule")
    conn.cursor().execute("SELECT zeke_jobs.lock_schedule('tick', '* * * * *', 'UTC', now())")
    with closing(connect()) as operator, operator.cursor() as cursor:
        for statement in (
            "SELECT zeke_jobs.advance_schedule('tick', '* * * * *', 'UTC', now() + interval '100 years', now())",
            "SELECT zeke_jobs.lock_schedule('another', '* * * * *', 'UTC', now() + interval '100 years')",
            "SELECT zeke_jobs.record_tick('tick', now() + interval '1 day', 'skipped', '', 'backfill', NULL)",
            "SELECT zeke_jobs.record_tick('tick', now(), 'skipped', '', 'schedule', NULL)",
        ):
            with pytest.raises((InvalidParameterValue, InsufficientPrivilege)):
                cursor.execute(statement)
        for schedule in ("tick", "that no scheduler has seen"):
            cursor.execute("SELECT zeke_jobs.advance_schedule(%s, '* * * * *', 'UTC', now(), now())", [schedule])
    found = rows(conn, "SELECT login, target FROM zeke_jobs.audit WHERE action = 'advance'")
    assert found == [(OPERATOR, "schedule/tick")]
