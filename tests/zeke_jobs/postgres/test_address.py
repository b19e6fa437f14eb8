"""Common forms of DATABASE_URL are read as PostgreSQL reads them, or refused in one line without the password."""

import pytest
from psycopg2.extensions import parse_dsn

from tests.each import each
from zeke_jobs.core.environment import libpq
from zeke_jobs.core.redaction import redact
from zeke_jobs.errors import ConfigurationError

ME = {"user": "me", "password": "s3cret", "host": "box", "dbname": "news"}


FORMS = """
postgresql://me:s3cret@box/news
postgres://me:s3cret@box/news
host=box dbname=news user=me password=s3cret
postgresql+psycopg2://me:s3cret@box/news
postgresql+psycopg://me:s3cret@box/news
postgresql+asyncpg://me:s3cret@box/news
postgres+asyncpg://me:s3cret@box/news?prepared_statement_cache_size=0
pgsql://me:s3cret@box/news?conn_max_age=600&conn_health_checks=true
psql://me:s3cret@box/news
postgis://me:s3cret@box/news
postgresql://me:s3cret@box/news?schema=public
postgresql://me:s3cret@box/news?schema=public&connection_limit=5&pool_timeout=20&pgbouncer=true
POSTGRESQL://me:s3cret@box/news
"""


@each(
    ("text", "expected"),
    [
        *((form, ME) for form in (*FORMS.split("\n")[1:-1], " postgresql://me:s3cret@box/news\n")),
        # People forget to percent-encode passwords.
        *((f"postgresql://me:{word}@box/news", {**ME, "password": word}) for word in ("p@ss", "p%ss", "p#s?s", "p:s s", "pä@@")),
        ("postgresql://me:p%40ss@box/news", {**ME, "password": "p@ss"}),
        ("postgresql://", {}),
        ("postgresql:///news", {"dbname": "news"}),
        ("postgresql://box", {"host": "box"}),
        ("postgresql+psycopg://me@/news?host=/var/run/postgresql", {"user": "me", "dbname": "news", "host": "/var/run/postgresql"}),
        ("postgres://%2Fvar%2Frun/news", {"host": "/var/run", "dbname": "news"}),
        ("postgresql://[::1]:5433/news", {"host": "::1", "port": "5433", "dbname": "news"}),
        ("postgresql://a:1,b,c:3/news", {"host": "a,b,c", "port": "1,,3", "dbname": "news"}),
        ("postgresql://box/news?sslmode=require&application_name=x", {"host": "box", "dbname": "news", "sslmode": "require", "application_name": "x"}),
        ("postgresql+asyncpg://box/news?ssl=require", {"host": "box", "dbname": "news", "sslmode": "require"}),
        ("postgresql://box/news?ssl=true", {"host": "box", "dbname": "news", "sslmode": "require"}),
        ("postgresql://box/news?ssl=false", {"host": "box", "dbname": "news", "sslmode": "disable"}),
        ("service=news", {"service": "news"}),
        ("postgresql://me@corp:s3cret@box/news", {**ME, "user": "me@corp"}),
        ("postgresql+psycopg2://me:p@ss%2F:ord%@box/news?host=/a/b&options=-c%20a%3Db", {**ME, "password": "p@ss/:ord%", "host": "/a/b", "options": "-c a=b"}),
        ("host='/var/run/a b' dbname=news", {"host": "/var/run/a b", "dbname": "news"}),
    ],
)  # fmt: skip
def test_each_form_that_people_have_is_read_with_all_that_it_says(text: str, expected: dict[str, str]) -> None:
    once = libpq(text)
    assert parse_dsn(once) == expected
    assert libpq(once) == once, "it reads its own answer the same"


@each(
    ("text", "said"),
    [
        ("nonsense", "host=… dbname=…"),
        ("s3cret", "host=… dbname=…"),
        ("postgres//me:s3cret@box/news", "host=… dbname=…"),
        ("postgresql:/me:s3cret@box/news", "host=… dbname=…"),
        ("jdbc:postgresql://box/news?user=me&password=s3cret", "without jdbc:"),
        ('"postgresql://me:s3cret@box/news"', "without the quotes"),
        ("mysql://me:s3cret@box/news", "got mysql://"),
        ("sqlite:///news.db", "got sqlite://"),
        ("postgresql://me:s3cret@box:http/news", "a port from 1 to 65535"),
        ("postgresql://me:s3cret@box:0/news", "a port from 1 to 65535"),
        ("postgresql://me:s3cret@box:65536/news", "a port from 1 to 65535"),
        ("postgresql://me:s3cret@a:1,b:x/news", "a port from 1 to 65535"),
        ("host=box port=s3cret", "a port from 1 to 65535"),
        ("postgresql://me:s3/cret@box/news", "/ as %2F"),
        ("postgresql://me:12/s3cret@box/news", "/ as %2F"),
        ("postgresql://me:s3/cr?et=1@box/news", "/ as %2F"),
        ("postgresql://me:s3cret%00@box/news", "PostgreSQL"),
        ("postgresql://me:s3cret@[::1/news", "PostgreSQL"),
        ("host=box password='s3cret", "PostgreSQL"),
        ("postgresql://me:s3cret%E9@box/news", "in UTF-8"),
        ("postgresql://me:s3cret\udce9@box/news", "in UTF-8"),
        ("host=box s3cret=x", "PostgreSQL"),
        ("localhost:5432", "got a host and a port alone"),
        ("localhost:5432/s3cret", "got a host and a port alone"),
        ("postgresql://me:s3cret@box/news?s3cret", "name=value"),
        ("postgresql://me:s3cret@box/news?schema=app", "options=-csearch_path%3Dapp"),
        ("postgresql://me:s3cret@box/news?sslaccept=strict", "got sslaccept"),
        ("postgresql+psycopg2://me:s3cret@/news?host=a:1&host=b:2", "got host more than once"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line_without_its_password(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^expected .*DATABASE_URL") as refused:
        libpq(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not any(part in repr(refused.value) for part in ("s3", "cret"))
    assert refused.value.__context__ is None or refused.value.__suppress_context__


@each("text", ["postgresql+asyncpg://me:pl@nted-12@box/x", "host=box password='pl@nted-12'"])
def test_a_password_that_was_read_is_taken_out_of_what_people_see(text: str) -> None:
    libpq(text)
    shown = redact(f"{text} and pl%40nted-12, no host pl@nted-12@box")
    assert "nted-1" not in shown
    assert "box" in shown
