"""Log lines show no secrets and cannot be forged. Masking changes only secrets, even if a secret is short."""

import io
import json
import logging
import re
import traceback
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
import structlog
from psycopg2.extensions import connection as Connection

from tests.each import each
from tests.zeke_jobs.commands import Patch
from zeke_jobs import Payload, Reject
from zeke_jobs.config.imports import Substitution
from zeke_jobs.core import logs, redaction
from zeke_jobs.core.environment import libpq
from zeke_jobs.core.redaction import hiding, redact
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.worker.finish.outcome import describe

LONG = "q7Rk2mZs9vTx4pLw8nBd3cYf6hJg1aQe5uWi0oKr"
PASSWORDS = ["worker", "zeke", "a", "1", LONG]
PLAIN = (
    "worker a of zeke-jobs: 1 job of zeke_jobs.worker.life.heartbeat in dramatiq/worker.py, line 1, "
    "http://box:80/a and a@example.org, 11:01 (see https://example.org/a?b=1&c=a@b)"
)


class User(Payload):
    name: str = ""
    e_mail: str = ""


class Login(Payload):
    user: User = User()
    password: str = ""
    pin: int = 1


@pytest.fixture(autouse=True)
def _restored(monkeypatch: Patch) -> Iterator[None]:
    monkeypatch.setattr(redaction, "_known", {})
    monkeypatch.delenv("ZEKE_JOBS_LOG_FORMAT", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(params=PASSWORDS)
def secret(request: pytest.FixtureRequest, monkeypatch: Patch) -> str:
    """Use the parameter as a secret: as the value of an environment variable, and as the password of a database URL."""
    value: str = request.param
    monkeypatch.setenv("API_KEY", value)
    assert Substitution({"token": "${API_KEY}"}).value == {"token": value}
    libpq(f"postgresql://me:{value}@box/news")
    return value


def test_a_secret_changes_no_other_word_and_no_frame_of_an_error(secret: str) -> None:
    with hiding({"reason": secret}, ["reason"]):
        assert redact(PLAIN) == PLAIN
        for is_json in (True, False):
            stream = configured(is_json=is_json)
            logs.get_logger("zeke_jobs.worker", worker=1).warning(PLAIN, reason="kept in our own lines", a="a")
            assert [part in stream.getvalue() for part in (PLAIN, "***", "${")] == [True, False, False]
        with pytest.raises(ValueError, match="Expecting") as raised:
            json.loads("{")
        assert describe(raised.value)["traceback"] == "".join(traceback.format_exception(raised.value))


@each(
    "address",
    "postgresql://me:{}@box/news",
    "postgresql+asyncpg://me:{}@box:5432,other/news?sslmode=require",
    "amqp://me:{}@broker//",
    "host=box user=me password={} dbname=news",
    "host=box user=me password = '{}' dbname=news",
    "postgresql://box/news?user=me&password={}&sslmode=require",
)
def test_the_password_of_an_address_is_masked_in_its_place(address: str) -> None:
    for password in PASSWORDS:
        for text in ("cannot reach @", '{"url": "@"}', "'@' (1 of 1)", "@ and @"):
            shown = text.replace("@", address.format("***").replace("'***'", "***"))
            assert redact(text.replace("@", address.format(password))) == shown, password


def test_an_odd_password_is_masked_as_it_was_written_and_that_of_an_example_stays() -> None:
    said = "export DATABASE_URL=postgresql://user:password@host/name; and postgresql://user:password1@host/name"
    assert redact(said) == said.replace("password1", "***")
    for password in ("a b", "a'b", 'a"b', "p@ss", "1?2#3", "pl@nted-1234"):
        text = f"postgresql://me:{password}@box/news"
        libpq(text)
        for said in (text, repr(text), json.dumps(text)):
            assert "me:***@box/news" in redact(said), said
    assert redact("pl%40nted-1234, no host pl@nted-1234 or nted-1234@box") == "***, no host *** or ***@box"
    written = r"host=box password='a\'b c' user=me"
    libpq(written)
    assert redact(f"{written}.") == "host=box password=*** user=me."


def test_a_sensitive_field_is_masked_under_its_name_however_short(secret: str) -> None:
    payload = Login(password=secret, user=User(name="Ada", e_mail=secret))
    with hiding(payload.model_dump(), ["password", "user.e_mail"]), logs.capturing(10) as captured:
        for is_json in (True, False):
            stream = configured(is_json=is_json)
            user = {"e_mail": secret, "name": "Ada"}
            logs.get_logger("zeke_jobs.job").info("log in", password=secret, user=user, given=payload)
            logging.getLogger("library").warning("says", extra={"password": secret})
            shown = stream.getvalue() + captured.read()[0]
            assert shown.count("***") >= 5, shown
            assert shown.count("Ada") >= 2
            assert f"={secret!r}" not in shown, shown
            assert f"{secret!r}" not in shown.replace("'1'", "" if secret != "1" else "'1'"), shown
            assert f'"{secret}"' not in shown, shown
        assert repr(payload) == "Login(user={'name': 'Ada', 'e_mail': '***'}, password='***', pin=1)"
        assert "password='***'" in f"no luck with {payload}"
    assert secret in repr(payload)


def test_the_details_of_a_rejection_keep_their_form_and_texts_have_variables_by_name(monkeypatch: Patch) -> None:
    said = f"401 for {LONG}, +49-30-901820 (Ada Lovelace), 4111111111111111"
    with hiding({"a": {"b": [LONG, "+49-30-901820", "Ada Lovelace", 4111111111111111]}}, ["a.b"]):
        assert redact(said) == "401 for ***, *** (***), ***"
    assert redact(LONG) == LONG
    monkeypatch.setenv("API_KEY", LONG)
    monkeypatch.setenv("BASE_URL", "https://example.org/v1")
    Substitution(["${API_KEY}", "${BASE_URL}"])
    assert redact(f"Bearer {LONG} to https://example.org/v1") == "Bearer ${API_KEY} to https://example.org/v1"
    with hiding({"card": 4111111111111111, "token": LONG}, ["card", "token"]):
        details = {"card": 4111111111111111, "said": f"no {LONG}", LONG: ["worker", 1, None], "url": "http://a:1@b/c"}
        told = describe(Reject("no", details=details))["details"]
    assert told == {"card": "***", "said": "no ***", "***": ["worker", 1, None], "url": "http://a:***@b/c"}


def test_the_excerpt_of_a_statement_that_failed_shows_no_sensitive_value(conn: Connection) -> None:
    value = "O'Brien's \"own\" address: 12 High Street, Port Lyle, which is longer than what an excerpt shows"
    with hiding({"name": value}, ["name"]), conn.cursor() as cursor, pytest.raises(psycopg2.Error) as caught:
        cursor.execute('SELECT 1 AS "a", %s::int', (value,))
    assert "O''Brien" in str(caught.value)
    with hiding({"name": value}, ["name"]):
        row = "ERROR:  no\nDETAIL:  Failing row contains "
        assert redact(f"{row}(1, O'Brien's own…).") == f"{row}***"
        for is_json in (True, False):
            stream = configured(is_json=is_json)
            logs.get_logger("zeke_jobs.job").error("no luck", exc_info=caught.value)
            for said in (redact(str(caught.value)), stream.getvalue()):
                assert "LINE 1: ***" in said, said
                assert not any(part in said for part in ("O'", "Brien", "own", "High Street")), said


def test_a_log_that_cannot_be_written_complains_once_and_in_no_circle() -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError("no space left")

    stderr = io.StringIO()
    printed: Any = logs.Printed(stderr, "stderr")
    logs.configure(Full(), json=True)
    with Patch.context() as patch, structlog.contextvars.bound_contextvars(job_id="42"):
        patch.setattr("sys.stderr", printed)
        print("a line", file=printed)
    assert stderr.getvalue().count("OSError: no space left") == 1


def configured(*, is_json: bool) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(stream, json=is_json)
    return stream


def test_a_line_is_one_json_object_with_what_was_bound_and_commands_no_terminal() -> None:
    stream = configured(is_json=True)
    logs.get_logger(task="fetch-content", job_id="42").info("fetched", bytes=10)
    said = {"task": "fetch-content", "job_id": "42", "event": "fetched", "bytes": 10, "level": "info"}
    assert said.items() <= json.loads(stream.getvalue()).items()
    logs.get_logger(key="\x9b2J\x7f\u202e\u2028 ä").info("x")
    assert not re.search("[\x7f-\x9f\u2028-\u202e]", stream.getvalue())
    assert json.loads(stream.getvalue().splitlines()[1])["key"] == "\x9b2J\x7f\u202e\u2028 ä"
    assert "ä" in stream.getvalue()
    # Requests of HTTP clients and periodiq's regular messages are not logged.
    stream = configured(is_json=True)
    logging.getLogger("httpx").info("HTTP Request: GET …")
    periodiq = logging.getLogger("periodiq")
    periodiq.info("Scheduling %s at %s.", "Actor(zeke-metronome)", "09:00")
    periodiq.error("Scheduling failed")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["Scheduling failed"]


def test_what_a_handler_prints_becomes_masked_lines_of_the_log_with_their_job() -> None:
    stream = configured(is_json=True)
    printed: Any = logs.Printed(io.StringIO())
    with structlog.contextvars.bound_contextvars(job_id="42"), logs.capturing(10) as captured:
        print("half a", end=" ", file=printed)
        assert stream.getvalue() == ""
        print("line of 5 %\n\nand one", file=printed, flush=True)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["half a line of 5 %", "and one"]
    assert {(line["level"], line["logger"], line["job_id"]) for line in lines} == {("info", "stdout", "42")}
    assert captured.read()[0].count("\n") == 1
    assert not printed.isatty()
    stream, stderr = configured(is_json=True), io.StringIO()
    printed = logs.Printed(stderr, "stderr")
    with hiding({"token": LONG}, ["token"]):
        with structlog.contextvars.bound_contextvars(job_id="42"), logs.capturing(10) as captured:
            print(f"10 %\r20 %\rno luck with {LONG}\nhalf", end="", file=printed)
        print(f"outside of a job {LONG}", file=printed)
    line = json.loads(stream.getvalue())
    assert line["event"].endswith("no luck with ***")
    assert (line["level"], line["logger"], line["job_id"]) == ("warning", "stderr", "42")
    assert "no luck with ***" in captured.read()[0]
    assert stderr.getvalue() == "outside of a job ***\n"


class Odd:
    def __repr__(self) -> str:
        return "<odd \x1b]0;title\x07>"


@pytest.mark.parametrize("colours", [False, True])
def test_nothing_in_a_line_forges_another_or_moves_the_terminal(monkeypatch: Patch, colours: bool) -> None:
    monkeypatch.setenv("FORCE_COLOR" if colours else "NO_COLOR", "1")
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "console")
    stream = io.StringIO()
    logs.configure(stream)
    log = logs.get_logger(task="t\x1b[2J", key="a\n12:00:00 [info     ] forged")
    secret = "x" * 40
    try:
        raise ValueError("no\n12:00:00 [info     ] forged in a traceback\x9b2J")  # noqa: TRY301
    except ValueError:
        forged = "failed\r\n12:00:00 [info     ] forged too"
        log.exception(forged, odd=Odd(), bidi="\u202egnp.exe", nested={"a\x1bc": 1})
    logging.getLogger("dramatiq.worker").warning("lost\n12:00:00 [info     ] %s", "\x1bc")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", plain)
    assert [line for line in plain.splitlines() if line.startswith("12:00:00")] == []
    assert all(shown in plain for shown in (r"t\x1b[2J", r"\x9b2J"))
    assert (plain.count("\n    Traceback"), secret in plain) == (1, False), "a traceback shows no values"


def test_a_refusal_is_a_line_of_json_where_all_are(monkeypatch: Patch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    with pytest.raises(SystemExit, match="2"):
        logs.refuse(ConfigurationError("expected a database\n  help: start one"))
    [line] = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["level"], json.loads(line)["event"].splitlines()[1]) == ("critical", "  help: start one")
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "auto")
    with pytest.raises(SystemExit, match="2"):
        logs.refuse(ConfigurationError("expected a database"))
    assert capsys.readouterr().err == "zeke_jobs: error: expected a database\n"
