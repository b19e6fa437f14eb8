"""Every output hides the sensitive fields of a job, even after the task's list of sensitive fields has changed."""

import json
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json
from pydantic import Field

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.commands import MakeTask
from tests.zeke_jobs.sql import dicts, value
from zeke_jobs.core import redaction
from zeke_jobs.payload.schema import PayloadSchema
from zeke_jobs.worker.life import chores

SECRET, PHONE, CARD, TOKEN = 'planted-"5\n5', "+49-planted-7", 4111111111111111, "tok-planted"
SECRETS = (SECRET, json.dumps(SECRET)[1:-1], PHONE, str(CARD), TOKEN)


class User(zeke_jobs.Payload):
    full_name: str = ""
    e_mail: str = ""


class Order(zeke_jobs.Payload):
    password: str = ""
    user: User = Field(default_factory=User)
    contacts: list[dict[str, Any]] = Field(default_factory=list)
    card: int = 0
    note: str = ""


PAYLOAD = {
    "password": SECRET,
    "user": {"full_name": "Ada", "e_mail": "ada@planted.example"},
    "card": CARD,
    "note": "plain",
    "contacts": [{"phone": PHONE, "city": "Berlin"}, {"phone": [PHONE], "city": "Rome"}],
}
FIELDS = ["password", "user.e_mail", "contacts.phone", "card"]
PLANTED = (*SECRETS, "ada@planted.example")


def plant(conn: Connection, job: object) -> None:
    """Give a job errors, notes and an output that quote its payload; mask the texts that a worker would mask."""
    text = f"no: {PAYLOAD['password']} {PHONE} {CARD} ada@planted.example, {json.dumps(PAYLOAD)}"
    fields = value(conn, "SELECT coalesce(sensitive, '{}') FROM zeke_jobs.queue WHERE message_id = %s", str(job))
    with redaction.hiding(PAYLOAD, fields):
        worker, details = redaction.redact(text), redaction.redacted(PAYLOAD)
    error = {"type": "OSError", "message": worker, "traceback": worker, "details": details}
    attempt = {"outcome": "retry", "attempt": 1, "reason": worker, "error": error}
    said = {"waiting_for": text, "cancel_reason": text, "unique_key": f"order ={text}"}
    extra = {"progress": {"done": 1, "note": worker}, **said}
    sql = """UPDATE zeke_jobs.queue
        SET extra = coalesce(extra, '{}') || %s || jsonb_build_object('batch', coalesce(extra ->> 'batch', %s)),
          attempts = %s, attempt = 1, result = %s
        WHERE message_id = %s;
        INSERT INTO zeke_jobs.step (job, name, result) VALUES (%s, left(%s, 100), '1') ON CONFLICT DO NOTHING"""
    result = Json({"said": text, "copy": PAYLOAD, text: 1, "n": CARD})
    dicts(conn, sql, Json(extra), text, Json([attempt]), result, str(job), str(job), text)


def seen(conn: Connection) -> dict[str, str]:
    views = ("zeke_jobs.job", "zeke_jobs.job_step", "zeke_jobs.finished", "pgboss.job", "pgboss.archive")
    return {view: value(conn, f"SELECT coalesce(string_agg(v::text, ''), '') FROM {view} AS v") for view in views}


def leaks(text: str) -> list[str]:
    return [secret for secret in PLANTED if secret in text or secret in text.replace('""', '"').replace("\\\\", "\\")]


@pytest.fixture
def job(conn: Connection, make_task: MakeTask) -> str:
    make_task("order", Order, sensitive=FIELDS, aliases=["bestellung"], retry_limit=3)
    sent = zeke_jobs.send("order", PAYLOAD, key=f"customer {PHONE}", idempotency_key=f"order of {PHONE}")
    plant(conn, sent.id)
    return str(sent.id)


def test_a_job_stays_masked_when_its_task_is_removed_renamed_or_loses_the_fields(conn: Connection, job: str) -> None:
    for change in (
        "UPDATE zeke_jobs.task SET sensitive = '{}'",
        "UPDATE zeke_jobs.task SET id = 'new-order', aliases = '{}'",
        "DELETE FROM zeke_jobs.task",
    ):
        dicts(conn, change)
        assert [view for view, text in seen(conn).items() if leaks(text)] == [], change
    data = zeke_jobs.status(job).data
    assert (data["password"], data["card"], data["user"]) == ("***", "***", {"full_name": "Ada", "e_mail": "***"})
    assert data["contacts"] == [{"phone": "***", "city": "Berlin"}, {"phone": "***", "city": "Rome"}]
    assert data["note"] == "plain"


def test_jobs_of_every_sender_are_stored_with_their_sensitive_fields(conn: Connection, make_task: MakeTask) -> None:
    make_task("order", Order)
    zeke_jobs.send("order", PAYLOAD)
    zeke_jobs.send_many("order", [PAYLOAD])
    assert dicts(conn, "SELECT sensitive FROM zeke_jobs.queue") == [{"sensitive": None}] * 2
    assert next(zeke_jobs.jobs()).data == PAYLOAD
    dicts(conn, "DELETE FROM zeke_jobs.queue")
    make_task("order", Order, sensitive=FIELDS, aliases=["bestellung"])
    zeke_jobs.send_many("order", [PAYLOAD, PAYLOAD])
    dicts(conn, "SELECT zeke_jobs.send('bestellung', %s)", Json(PAYLOAD))
    message = {"queue_name": "default", "actor_name": "bestellung", "args": [], "kwargs": PAYLOAD, "options": {}}
    stock = "INSERT INTO zeke_jobs.queue (message_id, queue_name, state, message)"
    dicts(conn, f"{stock} VALUES (gen_random_uuid(), 'default', 'queued', %s)", Json(message))
    assert dicts(conn, "SELECT sensitive FROM zeke_jobs.queue") == [{"sensitive": FIELDS}] * 4
    dicts(conn, "DELETE FROM zeke_jobs.task")
    assert leaks(seen(conn)["zeke_jobs.job"]) == []


@pytest.mark.parametrize("name", ["order", "bestellung"])
def test_a_field_that_becomes_sensitive_is_masked_everywhere(conn: Connection, make_task: MakeTask, name: str) -> None:
    make_task(name, Order, sensitive=["card"])
    plant(conn, zeke_jobs.send(name, PAYLOAD).id)
    make_task("order", Order, sensitive=FIELDS[:3], aliases=["bestellung"])
    if name != "order":
        dicts(conn, "DELETE FROM zeke_jobs.task WHERE id <> 'order'")
    assert leaks(seen(conn)["zeke_jobs.job"]) == []


def test_what_is_left_after_the_purge_shows_no_key_that_quotes_it(conn: Connection, job: str) -> None:
    plain = zeke_jobs.send("order", PAYLOAD, key="customer 7").id
    dicts(conn, "UPDATE zeke_jobs.queue SET state = 'done', completed_on = now() - interval '1 year'")
    assert chores.purge(conn) == 2
    keys = {str(row["id"]): row["key"] for row in dicts(conn, "SELECT id, key FROM zeke_jobs.finished")}
    assert keys == {job: "***", str(plain): "customer 7"}
    assert {view for view, text in seen(conn).items() if leaks(text)} == set()
    # The table zeke_jobs.history keeps unmasked keys for a backtest, but clients and readers cannot read the table.
    assert {"key": f"customer {PHONE}"} in dicts(conn, "SELECT key FROM zeke_jobs.history")


@each(
    "given fields expected",
    ({"a": 1}, None, {"a": 1}),
    ({"a": 1}, [], {"a": 1}),
    ({"a": {"b": 1, "c": 2}}, ["a.b"], {"a": {"b": "***", "c": 2}}),
    ({"a": [{"b": 1}, {"b": [2]}, {"c": 3}]}, ["a.b"], {"a": [{"b": "***"}, {"b": "***"}, {"c": 3}]}),
    ({"a": [[{"b": 1}]]}, ["a.b"], {"a": [[{"b": "***"}]]}),
    ({"a": "text where an object was expected"}, ["a.b"], {"a": "***"}),
    ({"a": ["x"], "b": None}, ["a.b", "b.c"], {"a": ["***"], "b": None}),
    ({"storyUser": {"eMail": 1}}, ["story_user.e_mail"], {"storyUser": {"eMail": "***"}}),
    ({"a": {"b": 1}}, ["a", "a.b"], {"a": "***"}),
    ([1, {"a": 2}], ["a"], [1, {"a": "***"}]),
    ("text", ["a"], "text"),
    (None, ["a"], None),
    ({}, ["a"], {}),
)
def test_a_path_leads_through_objects_and_lists(conn: Connection, given: Any, fields: Any, expected: Any) -> None:
    assert value(conn, "SELECT zeke_jobs.mask(%s, %s::text[])", Json(given), fields) == expected


def test_a_secret_is_found_in_all_that_quotes_it_under_either_name_and_common_words_stay(conn: Connection) -> None:
    message = {"a": {"b": ['x"y\nz-4711', "abc", True, None, 12345678]}, "c": "kept"}
    secret = 'x"y\nz-4711'
    said = {"x": f"q {secret} q", "j": json.dumps(secret), secret: ["abc", True, 12345678, "n 12345678"]}
    found = value(conn, "SELECT zeke_jobs.mask(%s::jsonb, '{a.b}', %s)", Json(said), Json(message))
    assert found == {"x": "q *** q", "j": '"***"', "***": ["abc", True, "***", "n ***"]}
    camel = "zeke_jobs.mask_text('said planted-12345', v.v, '{api_key}') AS text, zeke_jobs.mask(v.v, '{api_key}')"
    (row,) = dicts(conn, f"SELECT {camel} FROM (SELECT %s::jsonb) AS v (v)", Json({"apiKey": ["planted-12345"]}))
    assert row == {"text": "said ***", "mask": {"apiKey": "***"}}


@each(
    "word",
    "worker", "zeke", "a", "1", "1234567", "12345678", "postgresql", "zeke_jobs/a.py", "fifteen-letters", "sixteen-letters-",
    "Ada Lovelace", "a@b.de", "ada@b.example", "+49-30-901820", "q" * 40, "Ünicode", "Übermäßig",
)  # fmt: skip
def test_python_and_sql_search_texts_for_the_same_values(conn: Connection, word: str) -> None:
    found = value(conn, "SELECT zeke_jobs.secrets_in(%s, '{a}')", Json({"a": word})) or ()
    with redaction.hiding({"a": word}, ["a"]):
        assert (redaction.redact(word) == "***") is (word in found)


def test_texts_that_a_worker_writes_are_masked_in_each_spelling_and_a_refused_payload_from_above_and_below() -> None:
    payload = {"user": {"eMail": "ä'\"@planted"}, "list": [{"t": "secret one"}]}
    with redaction.hiding(payload, ["user.e_mail", "list.t"]):
        spelled = ("ä'\"@planted", json.dumps("ä'\"@planted"), repr("ä'\"@planted"), "%C3%A4%27%22%40planted")
        assert [redaction.redact(text).strip("'\"") for text in spelled] == ["***"] * 4
        assert redaction.redact("secret+one secret%20one") == "*** ***"
    assert redaction.redact("secret one") == "secret one"
    schema = PayloadSchema(Order.model_json_schema(by_alias=False), frozenset(["user.e_mail", "contacts"]))
    for refused in ({"user": {"e_mail": 123456}}, {"user": "ada@planted"}, {"contacts": ["planted-contact"]}):
        (fault,) = schema.check(refused)[1]
        assert "got ***" in fault[1], fault
