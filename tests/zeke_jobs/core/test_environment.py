"""Variables, database URLs and durations are read as people write them. An error is one line and shows no password."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from psycopg2.extensions import parse_dsn
from pydantic import BaseModel, ValidationError

from tests.each import cases, each
from tests.zeke_jobs.commands import Patch
from zeke_jobs.core import environment
from zeke_jobs.core.bounds import LONGEST
from zeke_jobs.core.wording import format_duration, parse_duration
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.payload.model import Duration


def test_log_settings_have_any_case_an_empty_variable_is_not_set_and_an_address_has_a_port(monkeypatch: Patch) -> None:
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


@cases(
    "variable read texts said",
    ("ENVIRONMENT", environment.installation, ["Staging", "a b", "-x", "é"], "to be a lower-case name such as staging, got"),
    ("LOG_FORMAT", environment.log_format, ["xml"], "to be one of auto, console, json, got 'xml'"),
    ("LOG_LEVEL", environment.log_level, ["loud"], r"to be one of info, debug, .*, got 'loud'"),
    ("METRICS", environment.metrics_address, ["9191", ":9191", "box:", "box:0", "box:65536", "box:http", "box:-1"], "to be HOST:PORT"),
    ("ASYNC", environment.async_places, ["1_0", "+5", "\uff12\uff10", "0", "10001", "2.5", "nan", "-1"], "to be 1 to 10000 jobs, got "),
)  # fmt: skip
def test_a_wrong_value_is_refused(monkeypatch: Patch, variable: str, read: Any, texts: list[str], said: str) -> None:
    for text in texts:
        monkeypatch.setenv(f"ZEKE_JOBS_{variable}", text)
        with pytest.raises(ConfigurationError, match=f"expected ZEKE_JOBS_{variable} {said}"):
            read()


READ = {"500ms": 0.5, "30s": 30, "5m": 300, "1h30m": 5400, "7d": 604_800, "2w": 1_209_600, "1d12h": 129_600, "0s": 0}
READ |= {"90s": 90, "1m500ms": 60.5, "36525d": LONGEST.total_seconds()}
REFUSED = ["", "5", "5 m", "5min", "m", "1m1h", "1h1h", "-5m", "1.5h", "5M", "\u0665m", "1h 30m", "9" * 13 + "s"]


def test_reads_what_people_write_also_in_fields_of_models_and_refuses_anything_else() -> None:
    assert {text: parse_duration(text).total_seconds() for text in READ} == READ
    for text in REFUSED:
        with pytest.raises(ValueError, match="expected a duration such as 30s, 5m or 1h30m, got '"):
            parse_duration(text)
    with pytest.raises(ValueError, match="at most a hundred years, got '36526d'"):
        parse_duration("36526d")
    for seconds, text in (14 * 86400, "14d"), (0, "0s"), (3601, "1h1s"):
        assert format_duration(timedelta(seconds=seconds)) == text, "the fewest words"
    assert _Model.model_validate({"timeout": "1h30m"}).timeout == timedelta(hours=1, minutes=30)
    assert _Model(timeout=timedelta(seconds=1)).timeout == timedelta(seconds=1)
    assert _Model().model_dump_json() == '{"timeout":"5m"}'
    for value in (5, 5.0, True, None, "five"):
        with pytest.raises(ValidationError, match="expected a duration such as 30s, 5m or 1h30m, got"):
            _Model.model_validate({"timeout": value})


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


ME = {"user": "me", "password": "s3cret", "host": "box", "dbname": "news"}


FORMS = """
host=box dbname=news user=me password=s3cret
postgres+asyncpg://me:s3cret@box/news?prepared_statement_cache_size=0
pgsql://me:s3cret@box/news?conn_max_age=600&conn_health_checks=true
postgresql://me:s3cret@box/news?schema=public
postgresql://me:s3cret@box/news?schema=public&connection_limit=5&pool_timeout=20&pgbouncer=true
"""
SCHEMES = "postgresql postgres postgresql+psycopg2 postgresql+psycopg postgresql+asyncpg psql postgis POSTGRESQL"


@each(
    "text expected",
    *((form, ME) for form in (*FORMS.split("\n")[1:-1], " postgresql://me:s3cret@box/news\n")),
    *((f"{scheme}://me:s3cret@box/news", ME) for scheme in SCHEMES.split()),
    # People forget to percent-encode passwords.
    *((f"postgresql://me:{word}@box/news", {**ME, "password": word}) for word in ("p@ss", "p%ss", "p#s?s", "p:s s", "pä@@")),
    ("postgresql://me:p%40ss@box/news", {**ME, "password": "p@ss"}),
    ("postgresql://", {}),
    ("postgresql:///news", {"dbname": "news"}),
    ("postgresql+psycopg://me@/news?host=/var/run/postgresql", {"user": "me", "dbname": "news", "host": "/var/run/postgresql"}),
    ("postgres://%2Fvar%2Frun/news", {"host": "/var/run", "dbname": "news"}),
    ("postgresql://[::1]:5433/news", {"host": "::1", "port": "5433", "dbname": "news"}),
    ("postgresql://a:1,b,c:3/news", {"host": "a,b,c", "port": "1,,3", "dbname": "news"}),
    ("postgresql://box/news?sslmode=require&application_name=x", {"host": "box", "dbname": "news", "sslmode": "require", "application_name": "x"}),
    ("postgresql+asyncpg://box/news?ssl=require", {"host": "box", "dbname": "news", "sslmode": "require"}),
    ("postgresql://box/news?ssl=true", {"host": "box", "dbname": "news", "sslmode": "require"}),
    ("postgresql://me@corp:s3cret@box/news", {**ME, "user": "me@corp"}),
    ("postgresql+psycopg2://me:p@ss%2F:ord%@box/news?host=/a/b&options=-c%20a%3Db", {**ME, "password": "p@ss/:ord%", "host": "/a/b", "options": "-c a=b"}),
    ("host='/var/run/a b' dbname=news", {"host": "/var/run/a b", "dbname": "news"}),
)  # fmt: skip
def test_each_form_that_people_have_is_read_with_all_that_it_says(text: str, expected: dict[str, str]) -> None:
    once = environment.libpq(text)
    assert parse_dsn(once) == expected
    assert environment.libpq(once) == once, "it reads its own answer the same"


@each(
    "text said",
    ("nonsense", "host=… dbname=…"),
    ("postgresql:/me:s3cret@box/news", "host=… dbname=…"),
    ("jdbc:postgresql://box/news?user=me&password=s3cret", "without jdbc:"),
    ('"postgresql://me:s3cret@box/news"', "without the quotes"),
    ("mysql://me:s3cret@box/news", "got mysql://"),
    ("postgresql://me:s3cret@box:http/news", "a port from 1 to 65535"),
    ("postgresql://me:s3cret@a:1,b:x/news", "a port from 1 to 65535"),
    ("host=box port=s3cret", "a port from 1 to 65535"),
    ("postgresql://me:s3/cret@box/news", "/ as %2F"),
    ("postgresql://me:s3/cr?et=1@box/news", "/ as %2F"),
    ("postgresql://me:s3cret%00@box/news", "PostgreSQL"),
    ("postgresql://me:s3cret@[::1/news", "PostgreSQL"),
    ("host=box password='s3cret", "PostgreSQL"),
    ("postgresql://me:s3cret%E9@box/news", "in UTF-8"),
    ("postgresql://me:s3cret\udce9@box/news", "in UTF-8"),
    ("host=box s3cret=x", "PostgreSQL"),
    ("localhost:5432", "got a host and a port alone"),
    ("postgresql://me:s3cret@box/news?s3cret", "name=value"),
    ("postgresql://me:s3cret@box/news?schema=app", "options=-csearch_path%3Dapp"),
    ("postgresql://me:s3cret@box/news?sslaccept=strict", "got sslaccept"),
    ("postgresql+psycopg2://me:s3cret@/news?host=a:1&host=b:2", "got host more than once"),
)
def test_what_cannot_be_read_is_refused_in_one_line_without_its_password(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^expected .*DATABASE_URL") as refused:
        environment.libpq(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not any(part in repr(refused.value) for part in ("s3", "cret"))
    assert refused.value.__context__ is None or refused.value.__suppress_context__
