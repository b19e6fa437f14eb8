import io
import json
import logging
import re
from typing import Any

import pytest
import structlog

from zeke_jobs.core import logs
from zeke_jobs.core.logs import Printed, refuse
from zeke_jobs.errors import ConfigurationError

pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.fixture
def stream(logging_restored: None) -> io.StringIO:
    """Configure the log as JSON; return the stream."""
    del logging_restored
    stream = io.StringIO()
    logs.configure(stream, json=True)
    return stream


def test_a_line_is_one_json_object_with_what_was_bound(stream: io.StringIO) -> None:
    logs.get_logger(task="fetch-content", job_id="42").info("fetched", bytes=10)
    said = {"task": "fetch-content", "job_id": "42", "event": "fetched", "bytes": 10, "level": "info"}
    assert said.items() <= json.loads(stream.getvalue()).items()


def test_printed_lines_become_lines_of_the_log_with_their_job(stream: io.StringIO) -> None:
    printed: Any = Printed(io.StringIO())
    with structlog.contextvars.bound_contextvars(job_id="42"), logs.capturing(10) as captured:
        print("half a", end=" ", file=printed)
        assert stream.getvalue() == ""
        print("line of 5 %\n\nand one", file=printed, flush=True)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["half a line of 5 %", "and one"]
    assert {(line["level"], line["logger"], line["job_id"]) for line in lines} == {("info", "stdout", "42")}
    assert captured.read()[0].count("\n") == 1
    assert not printed.isatty()


def test_a_traceback_is_in_the_line_and_shows_no_values(stream: io.StringIO) -> None:
    secret = "x" * 40
    try:
        int(secret[:0])
    except ValueError:
        logs.get_logger().exception("failed")
    assert "ValueError: invalid literal" in json.loads(stream.getvalue())["exception"]
    assert stream.getvalue().count("\n") == 1
    assert secret not in stream.getvalue()


def test_http_clients_are_quiet_about_each_request_and_the_scheduler_about_each_beat(stream: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET …")
    periodiq = logging.getLogger("periodiq")
    periodiq.info("Scheduling %s at %s.", "Actor(zeke-metronome)", "09:00")
    periodiq.error("Scheduling failed")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["Scheduling failed"]


class Odd:
    def __repr__(self) -> str:
        return "<odd \x1b]0;title\x07>"


@pytest.mark.parametrize("colours", [False, True])
def test_nothing_in_a_line_forges_another_or_commands_the_terminal(
    monkeypatch: pytest.MonkeyPatch, colours: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR" if colours else "NO_COLOR", "1")
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "console")
    stream = io.StringIO()
    logs.configure(stream)
    log = logs.get_logger(task="t\x1b[2J", key="a\n12:00:00 [info     ] forged")
    try:
        raise ValueError("no\n12:00:00 [info     ] forged in a traceback\x9b2J")  # noqa: TRY301
    except ValueError:
        forged = "failed\r\n12:00:00 [info     ] forged too"
        log.exception(forged, odd=Odd(), bidi="\u202egnp.exe", nested={"a\x1bc": 1})
    logging.getLogger("dramatiq.worker").warning("lost\n12:00:00 [info     ] %s", "\x1bc")
    text = stream.getvalue()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", plain)
    assert [line for line in plain.splitlines() if line.startswith("12:00:00")] == []
    assert all(shown in plain for shown in (r"t\x1b[2J", r"\x9b2J"))
    assert plain.count("\n    Traceback") == 1


def test_json_lines_hold_no_character_that_commands_a_terminal(stream: io.StringIO) -> None:
    logs.get_logger(key="\x9b2J\x7f\u202e\u2028 ä").info("x")
    assert not re.search("[\x7f-\x9f\u2028-\u202e]", stream.getvalue())
    assert json.loads(stream.getvalue())["key"] == "\x9b2J\x7f\u202e\u2028 ä"
    assert "ä" in stream.getvalue()


def test_a_refusal_is_a_line_of_json_where_all_lines_must_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    with pytest.raises(SystemExit, match="2"):
        refuse(ConfigurationError("expected a database\n  help: start one"))
    [line] = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["level"], json.loads(line)["event"].splitlines()[1]) == ("critical", "  help: start one")
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "auto")
    with pytest.raises(SystemExit, match="2"):
        refuse(ConfigurationError("expected a database"))
    assert capsys.readouterr().err == "zeke_jobs: error: expected a database\n"
