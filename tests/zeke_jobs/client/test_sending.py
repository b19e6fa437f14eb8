"""These tests cover the rows that ``send`` and ``send_many`` write, the sends that are refused, and repeated sends."""

import re
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psycopg
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor
from pydantic import Field

import zeke_jobs
from tests.each import cases, each
from tests.zeke_jobs.commands import MakeTask, NewDatabase, Patch
from tests.zeke_jobs.sql import change, rows, value
from zeke_jobs.client import drivers
from zeke_jobs.core.batch import UniqueRule
from zeke_jobs.errors import InvalidPayload, MigrationError, QueueFull, UnknownTask


class Analyze(zeke_jobs.Payload):
    story_id: uuid.UUID
    trigger: Literal["auto", "manual"] = "auto"
    metadata: dict[str, Any] = Field(default_factory=dict)


STORY, OTHER, THIRD, FOURTH = (f"6f2e1c3a-0000-4000-8000-00000000000{n}" for n in (1, 2, 3, 4))


@pytest.fixture(autouse=True)
def analyze(make_task: MakeTask) -> None:
    make_task("analyze-story", Analyze, aliases=["story-analyze"], priority=3)


def row(conn: Connection, job_id: object, columns: str) -> tuple[Any, ...]:
    return rows(conn, f"SELECT {columns} FROM zeke_jobs.queue WHERE message_id = %s", str(job_id))[0]


def analyze_story(story: str = STORY, **options: Any) -> zeke_jobs.Sent:
    return zeke_jobs.send("analyze-story", {"story_id": story}, **options)


def count(conn: Connection) -> int:
    return int(value(conn, "SELECT count(*) FROM zeke_jobs.queue"))


def test_the_row_is_a_dramatiq_message_that_is_due_now_of_the_revision_in_force(conn: Connection) -> None:
    insert = "INSERT INTO zeke_jobs.revision (digest, source, applied_by) VALUES ('d', '', 'me') RETURNING number"
    number = value(conn, insert)
    sent = zeke_jobs.send("analyze-story", {"story_id": STORY})
    state, queue, message = row(conn, sent.id, "state::text, queue_name, message")
    assert (state, queue) == ("queued", "default")
    assert abs(message.pop("message_timestamp") / 1000 - datetime.now(UTC).timestamp()) < 60
    said = {"args": [], "kwargs": {"story_id": STORY}, "options": {}, "message_id": str(sent.id)}
    assert message == {"queue_name": "default", "actor_name": "analyze-story", **said}
    columns = "run_at <= zeke_jobs.now(), priority, attempt, claim, revision"
    assert row(conn, sent.id, columns) == (True, 3, 0, 0, number)
    for payload in (Analyze(story_id=uuid.UUID(STORY)), {"story_id": uuid.UUID(STORY)}):
        sent = zeke_jobs.send("analyze-story", payload)
        assert row(conn, sent.id, "message #>> '{kwargs,story_id}'") == (STORY,)


def test_no_tasks_and_no_tables_are_named(conn: Connection, new_database: NewDatabase, monkeypatch: Patch) -> None:
    conn.cursor().execute("DELETE FROM zeke_jobs.task")
    with pytest.raises(UnknownTask, match="the catalogue is empty: the first worker that starts"):
        zeke_jobs.send("ingest-pull")
    monkeypatch.setenv("DATABASE_URL", new_database())
    with pytest.raises(MigrationError, match="run: zeke-jobs migrate"):
        zeke_jobs.send("analyze-story", {})


@each(
    "payload said fault",
    ({}, {}, "story_id: expected a value, got none"),
    ({"story_id": "x"}, {}, "story_id: expected a UUID, got 'x'"),
    ({"story_id": STORY, "storyId": STORY}, {}, "story_id: expected it once"),
    ({"story_id": STORY, "metadata": {"a": [float("nan")]}}, {}, r"metadata.a\[0\]: expected a finite number, got nan"),
    ([1], {}, "expected an object of fields, got list"),
    ({"nope": 1, "trigger": 2}, {}, r"(?s)nope: .*story_id: .*trigger: "),
    *(({"story_id": STORY}, said, fault) for said, fault in [
        ({"delay": 1, "run_at": datetime.now(UTC)}, "expected delay or run_at, got both"),
        ({"delay": -1}, "expected delay of 0 seconds"),
        ({"run_at": datetime(2026, 1, 1)}, "expected run_at with a time zone"),  # noqa: DTZ001
        ({"priority": 101}, "expected priority of -100 to 100, got 101"),
        ({"key": ""}, "expected key of 1 to 1024 bytes"),
        ({"id": "x"}, "expected id as a UUID"),
        ({"unique": "nope"}, "expected unique by fields of analyze-story's payload, got 'nope'"),
        ({"unique": {"while": "period"}}, "expected unique with a period"),
        ({"unique": {"while": "active", "on_duplicate": "replace"}}, "expected on_duplicate replace while queued"),
        ({"unique": {"on_duplicate": "drop"}}, "ignore, replace or postpone"),
        ({"unique_key": "k", "unique": "story_id"}, "expected unique_key or the fields of unique, got both"),
        ({"timeout": 1e-9}, "expected timeout of at least 0.001 seconds"),
        *(({"timeout": said}, "expected timeout") for said in ("soon", 0)),
        *(({"retry": said}, "expected retry") for said in ("many", 1.5, {"limit": -1}, {"when": 1})),
        ({"keep": "-1 day"}, "expected keep"),
    ]),
)  # fmt: skip
def test_what_makes_no_sense_is_refused(conn: Connection, payload: Any, said: dict[str, Any], fault: str) -> None:
    with pytest.raises((TypeError, ValueError) if said else InvalidPayload, match=fault):
        zeke_jobs.send("analyze-story", payload, **said)
    assert count(conn) == 0


def test_a_changed_catalogue_is_noticed_in_the_same_send(conn: Connection, make_task: MakeTask) -> None:
    zeke_jobs.send("anything", {"whatever": 1})
    make_task("anything", Analyze, queue="elsewhere", revision=2)
    with pytest.raises(InvalidPayload):
        zeke_jobs.send("anything", {"whatever": 1})
    assert row(conn, zeke_jobs.send("anything", {"story_id": STORY}).id, "queue_name") == ("elsewhere",)

    class Newer(Analyze):
        depth: int = 1

    newer = {"story_id": STORY, "depth": 2}
    with pytest.raises(InvalidPayload):
        zeke_jobs.send("analyze-story", newer)
    make_task("analyze-story", Newer)  # The revision is the same.
    assert zeke_jobs.send("analyze-story", newer).status == "created"


def test_a_send_is_repeated_without_a_second_job_when_its_answer_was_lost(conn: Connection, monkeypatch: Patch) -> None:
    zeke_jobs.send("anything")
    ours = "datname = current_database() AND application_name = 'zeke-jobs client'"
    rows(conn, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
    assert not zeke_jobs.send("anything").duplicate
    assert count(conn) == 2
    execute = drivers._execute
    lost: list[Any] = []

    def lose_the_answer(cursor: Any, sql: str, params: Any) -> Any:
        rows = execute(cursor, sql, params)
        if not lost:
            lost.append(params["id"])
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return rows

    monkeypatch.setattr(drivers, "_execute", lose_the_answer)
    sent = zeke_jobs.send("anything")
    assert (str(sent.id), sent.duplicate) == (lost[0], False)
    assert count(conn) == 3


def engine(url: str, driver: str) -> Any:
    import sqlalchemy  # The import takes half a second, so only the process that needs it pays.

    address = url.replace("postgresql://", f"postgresql+{driver}://")
    return sqlalchemy.create_engine(address, poolclass=sqlalchemy.NullPool)


def session(url: str) -> Any:
    from sqlalchemy.orm import Session

    return Session(engine(url, "psycopg"))


CONNECTIONS: dict[str, Callable[[str], Any]] = {
    "psycopg2": psycopg2.connect,
    "psycopg2-dict": lambda url: psycopg2.connect(url, cursor_factory=RealDictCursor),
    "psycopg3": lambda url: psycopg.connect(url, row_factory=psycopg.rows.dict_row),
    "sqlalchemy-psycopg2": lambda url: engine(url, "psycopg2").connect(),
    "sqlalchemy-psycopg": lambda url: engine(url, "psycopg").connect(),
    "session": session,
}


@pytest.mark.parametrize("connect", CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_send_belongs_to_the_callers_transaction(database: str, conn: Connection, connect: Any) -> None:
    with closing(connect(database)) as theirs:
        zeke_jobs.send("analyze-story", {"storyId": STORY}, connection=theirs, delay=5)
        zeke_jobs.send_many("anything", [{"a": 1}, {"a": 2}], connection=theirs, keys=["k", None])
        assert count(conn) == 0
        theirs.rollback()
        assert count(conn) == 0
        with pytest.raises(UnknownTask):
            zeke_jobs.send("nope", connection=theirs)
        with pytest.raises(InvalidPayload):  # A refused send leaves the transaction usable.
            zeke_jobs.send("analyze-story", {"nope": 1}, connection=theirs)
        sent = zeke_jobs.send("analyze-story", {"storyId": STORY}, connection=theirs)
        assert zeke_jobs.status(sent.id, connection=theirs).data == {"story_id": STORY}
        theirs.commit()
        assert count(conn) == 1


def test_a_statement_can_be_run_by_any_driver(database: str, conn: Connection) -> None:
    sql, params = zeke_jobs.statement("analyze-story", {"storyId": STORY}, priority=7, style="pyformat")
    with conn.cursor() as cursor:
        cursor.execute(sql, params)
        [[job_id]] = cursor.fetchall()
    assert row(conn, job_id, "priority") == (7,)
    import sqlalchemy

    with closing(psycopg.connect(database, autocommit=True, cursor_factory=psycopg.RawCursor)) as raw:
        numeric = zeke_jobs.statement("analyze-story", {"storyId": STORY}, id=STORY)
        assert [str(job_id) for (job_id,) in raw.execute(*numeric)] == [STORY]
    with engine(database, "psycopg").begin() as theirs:
        named = zeke_jobs.statement("anything", style="named")
        assert theirs.execute(sqlalchemy.text(named.sql), named.params).scalar_one()
    assert count(conn) == 3
    with pytest.raises(InvalidPayload):
        zeke_jobs.statement("analyze-story", {})
    with pytest.raises(ValueError, match="expected style numeric"):
        zeke_jobs.statement("anything", style="qmark")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"statement\(\)"):
        zeke_jobs.send("anything", connection=object())


def test_a_second_send_with_the_same_id_or_idempotency_key_returns_the_first_job(conn: Connection) -> None:
    first, second = (zeke_jobs.send("anything", id=STORY) for _ in range(2))
    assert (first.duplicate, second.duplicate, second.id) == (False, True, first.id)
    third = zeke_jobs.send("anything", idempotency_key="k")
    change(conn, third.id, "state = 'done'")
    fourth = zeke_jobs.send("anything", idempotency_key="k")
    assert (fourth.id, fourth.status, fourth.duplicate) == (third.id, "completed", True)
    assert not analyze_story(idempotency_key="k").duplicate
    with pytest.raises(ValueError, match="which a job of another task has"):
        analyze_story(id=STORY)
    assert count(conn) == 3
    # A send with the idempotency key of an earlier job returns that job, and reserves no unique key.
    holder = zeke_jobs.send("anything", {"a": 1}, unique=True)
    change(conn, holder.id, "state = 'consumed'")
    other = zeke_jobs.send("anything", {"a": 2}, idempotency_key="j")
    for n in (1, 3):
        assert zeke_jobs.send("anything", {"a": n}, unique=True, idempotency_key="j").id == other.id
    change(conn, holder.id, "state = 'queued'")
    assert zeke_jobs.send("anything", {"a": 1}, unique=True).id == holder.id
    assert not zeke_jobs.send("anything", {"a": 3}, unique=True).duplicate


def test_unique_fields_hold_while_queued_or_active_or_for_a_period(conn: Connection, make_task: MakeTask) -> None:
    first = analyze_story(unique="storyId")
    assert zeke_jobs.send("analyze-story", {"story_id": STORY, "trigger": "manual"}, unique="story_id").id == first.id
    assert not analyze_story(OTHER, unique="story_id").duplicate
    assert not analyze_story().duplicate
    change(conn, first.id, "state = 'consumed'")
    assert not analyze_story(unique="story_id").duplicate
    # The first job is queued again for a retry, and does not conflict with the second job.
    change(conn, first.id, "state = 'queued'")
    # A job that omits a field conflicts with a job that names the field's default value.
    both = analyze_story(unique=["story_id", "trigger"])
    auto = {"story_id": STORY, "trigger": "auto"}
    assert zeke_jobs.send("analyze-story", auto, unique=["trigger", "story_id"]).id == both.id
    active: UniqueRule = {"fields": ["story_id"], "while": "active"}
    first = analyze_story(THIRD, unique=active)
    change(conn, first.id, "state = 'consumed'")
    assert analyze_story(THIRD, unique=active).duplicate
    successor = analyze_story(THIRD, unique=active, parent=first.id)
    assert not successor.duplicate
    assert analyze_story(THIRD, unique=active).id == successor.id
    change(conn, successor.id, "state = 'rejected'")
    assert not analyze_story(THIRD, unique=active).duplicate
    change(conn, zeke_jobs.send("anything", {"n": 1}, unique_key="tenant 7").id, "state = 'consumed'")
    assert zeke_jobs.send("anything", {"n": 2}, unique_key="tenant 7").duplicate
    assert not zeke_jobs.send("other", unique_key="tenant 7").duplicate
    make_task("one", Analyze, unique_fields=["story_id"], unique_while="active")
    first = zeke_jobs.send("one", {"story_id": STORY})
    assert zeke_jobs.send("one", {"story_id": STORY}).id == first.id
    assert not zeke_jobs.send("one", {"story_id": STORY}, unique=False).duplicate
    period: UniqueRule = {"fields": ["story_id"], "period": timedelta(hours=1)}
    change(conn, analyze_story(FOURTH, unique=period).id, "state = 'done'")
    assert analyze_story(FOURTH, unique=period).duplicate
    conn.cursor().execute("UPDATE zeke_jobs.queue SET created_on = created_on - interval '1 hour'")
    assert not analyze_story(FOURTH, unique=period).duplicate


@cases(
    "said holder",
    ({"unique": True}, "none"),
    ({"unique": True}, "gone"),
    ({"unique": {"while": "active"}}, "gone"),
    ({"idempotency_key": "k"}, "none"),
    ({"id": STORY}, "none"),
)
def test_of_many_senders_at_once_exactly_one_makes_the_job(conn: Connection, said: dict[str, Any], holder: str) -> None:
    if holder == "gone":
        change(conn, zeke_jobs.send("anything", {"a": 1}, **said).id, "state = 'done'")
    barrier = threading.Barrier(6)

    def sender(_: int) -> list[zeke_jobs.Sent]:
        barrier.wait()
        return [zeke_jobs.send("anything", {"a": 1}, **said) for _ in range(10)]

    with ThreadPoolExecutor(6) as threads:
        answers = [sent for found in threads.map(sender, range(6)) for sent in found]
    assert len({sent.id for sent in answers}) == 1
    assert count(conn) == 1 + (holder == "gone")
    assert said.keys() == {"id"} or sum(not sent.duplicate for sent in answers) == 1


def test_a_full_queue_refuses_but_knows_its_jobs(conn: Connection, make_task: MakeTask, monkeypatch: Patch) -> None:
    make_task("narrow", None, max_queued=2)
    zeke_jobs.send("narrow", idempotency_key="a")
    zeke_jobs.send("narrow")
    with pytest.raises(QueueFull, match="expected room in the queue of narrow"):
        zeke_jobs.send("narrow")
    with pytest.raises(QueueFull):
        zeke_jobs.send_many("narrow", [{}])
    assert zeke_jobs.send("narrow", idempotency_key="a").duplicate
    assert count(conn) == 2
    make_task("narrow", None, max_queued=4)
    ids = [uuid.uuid4() for _ in range(4)]
    monkeypatch.setattr("zeke_jobs.client.sending.new_id", iter(ids).__next__)
    first = zeke_jobs.send_many("narrow", [{"n": 1}, {"n": 2}])
    monkeypatch.setattr("zeke_jobs.client.sending.new_id", iter(ids).__next__)
    assert zeke_jobs.send_many("narrow", [{"n": 1}, {"n": 2}]) == first  # The first answer was lost.
    with pytest.raises(QueueFull):
        zeke_jobs.send_many("narrow", [{"n": 3}])
    assert count(conn) == 4


def test_many_are_sent_in_order_each_with_its_key_and_repetitions_answer_with_the_first_job(conn: Connection) -> None:
    keys: list[str | None] = [f"k{n % 3}" for n in range(300)]
    sent = zeke_jobs.send_many("other", [{"n": n} for n in range(300)], keys=keys, priority=2)
    assert len({one.id for one in sent}) == 300
    found = rows(conn, "SELECT message #>> '{kwargs,n}', key, priority, queue_name FROM zeke_jobs.queue ORDER BY seq")
    assert found == [(str(n), f"k{n % 3}", 2, "second") for n in range(300)]
    assert row(conn, sent[7].id, "(message #>> '{kwargs,n}')::int") == (7,)
    before = analyze_story(unique="story_id")
    sent = zeke_jobs.send_many("analyze-story", [{"story_id": s} for s in (OTHER, STORY, OTHER)], unique="story_id")
    assert [one.duplicate for one in sent] == [False, True, True]
    assert [sent[1].id, sent[2].id] == [before.id, sent[0].id]
    assert count(conn) == 302


@each(
    "keys fault",
    ([], "expected as many keys as payloads"),
    ("ab", "expected keys as a list, got the text 'ab'"),
    (["a", ""], r"expected keys\[1\] of 1 to 1024 bytes, got 0"),
    (["k" * 1025, "a"], r"expected keys\[0\] of 1 to 1024 bytes, got 1025"),
    ([1, "a"], r"expected keys\[0\] as text, got 1"),
)
def test_many_are_all_refused_when_one_payload_or_key_is(conn: Connection, keys: Any, fault: str) -> None:
    with pytest.raises(InvalidPayload, match=r"payloads\[1\]") as refused:
        zeke_jobs.send_many("analyze-story", [{"story_id": STORY}, {"story_id": "x"}])
    assert refused.value.errors == ((r"[1].story_id", "expected a UUID, got 'x'"),)
    with pytest.raises((TypeError, ValueError), match=fault):
        zeke_jobs.send_many("anything", [{}, {}], keys=keys)
    assert count(conn) == 0
    assert zeke_jobs.send_many("anything", []) == []


def test_two_senders_of_many_with_the_same_keys_do_not_block_each_other(conn: Connection, database: str) -> None:
    payloads = [{"n": n} for n in range(400)]
    barrier = threading.Barrier(2)

    def sender(given: list[dict[str, int]]) -> None:
        with closing(psycopg2.connect(database)) as own:
            for _ in range(4):
                barrier.wait(20)
                zeke_jobs.send_many("anything", given, unique=True, connection=own)
                own.rollback()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(sender, (payloads, payloads[::-1])))
    assert count(conn) == 0


@cases(
    "send said message",
    (zeke_jobs.send, {"dely": 3}, "got 'dely'; did you mean 'delay'?"),
    (zeke_jobs.statement, {"dely": 3}, "got 'dely'; did you mean 'delay'?"),
    (zeke_jobs.send_many, {"idempotency_key": "a"}, "got 'idempotency_key'; options: after_failure, batch"),
)
def test_an_unknown_option_needs_no_database(send: Any, said: dict[str, Any], message: str, monkeypatch: Patch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(TypeError, match=re.escape(f"expected an option of send, {message}")):
        send("plain", {}, **said)
