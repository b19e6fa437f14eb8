from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ValidationError

from zeke_jobs.core import environment
from zeke_jobs.core.bounds import LONGEST
from zeke_jobs.core.wording import format_duration, parse_duration
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.payload.model import Duration


def test_log_settings_have_any_case_a_variable_set_to_nothing_is_not_set_and_an_address_has_a_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "JSON")
    monkeypatch.setenv("ZEKE_JOBS_LOG_LEVEL", "Warning")
    assert (environment.log_format(), environment.log_level()) == ("json", "warning")
    for name in ("ZEKE_JOBS_LOG_FORMAT", "ZEKE_JOBS_LOG_LEVEL", "ZEKE_JOBS_CONFIG", "DATABASE_URL"):
        monkeypatch.setenv(name, "")
    assert (environment.log_format(), environment.log_level()) == ("auto", "info")
    assert (environment.config_path(), environment.database_url_or_none()) == (Path("jobs.yaml"), None)
    for host, port in (("127.0.0.1", 9191), ("[::1]", 80), ("box", 65535)):
        monkeypatch.setenv(environment.METRICS, f"{host}:{port}")
        assert environment.metrics_address() == (host.strip("[]"), port)


@pytest.mark.parametrize(
    ("variable", "read", "texts", "said"),
    [
        ("LOG_FORMAT", environment.log_format, ["xml"], "to be one of auto, console, json, got 'xml'"),
        ("LOG_LEVEL", environment.log_level, ["loud"], r"to be one of info, debug, .*, got 'loud'"),
        ("METRICS", environment.metrics_address, ["9191", ":9191", "box:", "box:0", "box:65536", "box:http", "box:-1"], "to be HOST:PORT"),
        ("ASYNC", environment.async_places, ["1_0", "+5", "\uff12\uff10", "0", "10001", "2.5", "nan", "-1"], "to be 1 to 10000 jobs, got "),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, variable: str, read: Callable[[], object], texts: list[str], said: str
) -> None:
    for text in texts:
        monkeypatch.setenv(f"ZEKE_JOBS_{variable}", text)
        with pytest.raises(ConfigurationError, match=f"expected ZEKE_JOBS_{variable} {said}"):
            read()


READ = {"500ms": 0.5, "30s": 30, "5m": 300, "1h30m": 5400, "7d": 604_800, "2w": 1_209_600, "1d12h": 129_600, "0s": 0}
READ |= {"90s": 90, "1m500ms": 60.5, "36525d": LONGEST.total_seconds()}
REFUSED = ["", "5", "5 m", "5min", "m", "1m1h", "1h1h", "-5m", "1.5h", "5M", "\u0665m", "1h 30m", "9" * 13 + "s"]


def test_reads_what_people_write_and_refuses_anything_else() -> None:
    assert {text: parse_duration(text).total_seconds() for text in READ} == READ
    for text in REFUSED:
        with pytest.raises(ValueError, match="expected a duration such as 30s, 5m or 1h30m, got '"):
            parse_duration(text)
    with pytest.raises(ValueError, match="at most a hundred years, got '36526d'"):
        parse_duration("36526d")
    for seconds, text in (14 * 86400, "14d"), (0, "0s"), (3601, "1h1s"):
        assert format_duration(timedelta(seconds=seconds)) == text, "the fewest words"


@given(st.integers(min_value=0, max_value=int(LONGEST.total_seconds() * 1000)), st.text())
def test_writes_what_it_reads_back_and_never_fails_but_in_words(milliseconds: int, text: str) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration
    try:
        parse_duration(text)
    except ValueError as error:
        assert str(error).startswith("expected a duration")  # noqa: PT017 (both ends are fine)


class _Model(BaseModel):
    timeout: Duration = timedelta(minutes=5)


def test_is_a_field_of_models_that_takes_no_bare_number() -> None:
    assert _Model.model_validate({"timeout": "1h30m"}).timeout == timedelta(hours=1, minutes=30)
    assert _Model(timeout=timedelta(seconds=1)).timeout == timedelta(seconds=1)
    assert _Model().model_dump_json() == '{"timeout":"5m"}'
    for value in (5, 5.0, True, None, "five"):
        with pytest.raises(ValidationError, match="expected a duration such as 30s, 5m or 1h30m, got"):
            _Model.model_validate({"timeout": value})
