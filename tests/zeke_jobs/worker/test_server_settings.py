"""With unusual settings of a server, a database or a role, results stay the same, or an error names the setting."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg2.errors import FeatureNotSupported
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.conftest import FOLDER, databases, server_binaries
from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import NOON, Patch, load
from tests.zeke_jobs.working import working
from zeke_jobs.control import actions
from zeke_jobs.diagnosis import doctor, why
from zeke_jobs.errors import ConfigurationError, MigrationError
from zeke_jobs.metrics import exporter
from zeke_jobs.postgres import embedded, installation, migrate
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import store
from zeke_jobs.scheduler import dispatch

TASKS = """
  echo: {handler: 'H:echo', max_wait: 90s, timeout: 90s}
  fail: {handler: 'H:fail', retry: {limit: 1, delay: 1ms, jitter: 0}}
  keyed: {handler: 'H:echo', concurrency: {limit: 2, per_key: 1}, rate: 500/s}
  chain: {handler: 'H:chain'}
  paid: {handler: 'H:ends'}
  single: {handler: 'H:echo', unique: {fields: [n], while: period, period: 90m}, keep: {completed: 36h}}
  nightly: {handler: 'H:echo', cron: {at: "30 2 * * *", timezone: Europe/Stockholm, payload: {n: 1}}}
"""
#: Each case has defaults of a server, a database or a role, which are set together.
SETTINGS = {
    "serializable, timeouts of a second, German texts, jit at any cost": {
        "default_transaction_isolation": "serializable", "default_transaction_deferrable": "on", "search_path": "pg_temp, nowhere",
        "statement_timeout": "1s", "lock_timeout": "1s", "idle_in_transaction_session_timeout": "1s", "idle_session_timeout": "1s",
        "TimeZone": "Asia/Kathmandu", "DateStyle": "German, DMY", "IntervalStyle": "sql_standard", "bytea_output": "escape",
        "extra_float_digits": "-15", "standard_conforming_strings": "off", "escape_string_warning": "off", "client_encoding": "LATIN1",
        "jit": "on", "jit_above_cost": "0", "jit_inline_above_cost": "0", "jit_optimize_above_cost": "0", "synchronous_commit": "off",
        "plan_cache_mode": "force_generic_plan", "enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_bitmapscan": "off",
    },
    "read only, other texts, parallel at any cost, little memory": {
        "default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on", "transaction_timeout": "1s",
        "DateStyle": "SQL, MDY", "IntervalStyle": "postgres_verbose", "array_nulls": "off", "transform_null_equals": "on",
        "quote_all_identifiers": "on", "row_security": "off", "enable_nestloop": "off", "enable_sort": "off", "work_mem": "64kB",
        "parallel_setup_cost": "0", "parallel_tuple_cost": "0", "min_parallel_table_scan_size": "0", "min_parallel_index_scan_size": "0",
        "plan_cache_mode": "force_custom_plan", "temp_buffers": "800kB",
    },
}  # fmt: skip
#: CREATE DATABASE gets an option of DATABASES, if the server supports the option.
DATABASES = ("LC_COLLATE 'C' LC_CTYPE 'C'", "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'")


@pytest.fixture
def make(server_url: str, monkeypatch: Patch) -> Iterator[Callable[[str], str]]:
    with databases(server_url) as new:

        def made(how: str) -> str:
            url = new(f"template0 {how}")
            monkeypatch.setenv("DATABASE_URL", url)
            return url

        yield made


def lives(url: str) -> dict[str, Any]:
    """Migrate, run some jobs and read the metrics; return the observations that must be equal in all runs."""
    with closing(connect(url)) as conn:
        migrate.migrate(conn)
        with working(load(TASKS), url):
            return observed(conn, url)


def observed(conn: Connection, url: str) -> dict[str, Any]:
    day = timedelta(days=1)
    tasks = enumerate(("echo", "fail", "chain", "paid", "single"))
    sent = [zeke_jobs.send(task, {"n": n, "story_id": task}) for n, task in tasks]
    again = zeke_jobs.send("single", {"n": 4})
    sent += zeke_jobs.send_many("keyed", [{"n": n} for n in range(8)], keys=[f"Ö{n % 3}" for n in range(8)])
    ends = [end_of(job.id) for job in sent]
    actions.pause(conn, "task/echo", by="ada", reason="İstanbul")
    later = zeke_jobs.send("echo", {"n": 4}, delay=day + timedelta(milliseconds=250), expires=40 * day)
    seen = zeke_jobs.status(later.id)
    assert seen.expires_on is not None
    explained = why.why(conn, later.id)
    revision = store.latest(conn)
    assert revision is not None
    return {
        "ends": ends,
        "duplicate": (again.duplicate, again.id == sent[4].id),
        "later": (seen.run_at - seen.created_on, seen.expires_on - seen.created_on, seen.status),
        "why": [reason.kind for reason in explained.reasons],
        "pauses": [(one.target, one.paused_by, one.reason) for one in actions.paused(conn)],
        "ticks": [
            (one.task, one.outcome, one.scheduled_for)
            for hours in (0, 24)
            for one in dispatch.beat(conn, now=NOON + hours * day / 24)
        ],
        "metrics": sorted({family.name for family in exporter.read(url)}),
        "config": revision.config().tasks["single"],
        "doctor": [one.id for one in doctor.examine(url).findings if one.severity == "critical"],
    }


def end_of(job: Any) -> tuple[Any, ...]:
    eventually(lambda: zeke_jobs.status(job).has_ended)
    found = zeke_jobs.status(job)
    return (found.status, found.output, found.retry_count, str(found.cost), [one["outcome"] for one in found.attempts])


@pytest.fixture(scope="module")
def usual(server_url: str) -> dict[str, Any]:
    with databases(server_url) as new, pytest.MonkeyPatch.context() as patch:
        url = new()
        patch.setenv("DATABASE_URL", url)
        return lives(url)


@pytest.mark.parametrize(("case", "how"), list(zip(SETTINGS, DATABASES, strict=True)), ids=SETTINGS)
def test_no_setting_changes_anything(make: Callable[[str], str], usual: dict[str, Any], case: str, how: str) -> None:
    try:
        url = make(how)
    except FeatureNotSupported:  # The server lacks the locale provider, but the settings can still be tested.
        url = make("")
    with closing(connect(url)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE name = ANY (%s)", (list(SETTINGS[case]),))
        for (name,) in cursor.fetchall():  # An older server may lack some of the settings.
            value = SETTINGS[case][name]
            value = value if name == "search_path" else f"'{value}'"
            cursor.execute(f"ALTER DATABASE {conn.info.dbname} SET {name} TO {value}")
    assert lives(url) == usual


def test_twenty_connections_are_enough_and_a_role_uses_its_schemas(usual: dict[str, Any], monkeypatch: Patch) -> None:
    folder = FOLDER.with_name(f"{FOLDER.name}-few")
    url = embedded.ensure(folder, bin_dir=server_binaries(), settings={"max_connections": "20", "fsync": "off"})
    theirs = url.replace("://postgres@", "://somebody@")
    monkeypatch.setenv("DATABASE_URL", theirs)
    try:
        with closing(connect(url)) as conn, conn.cursor() as cursor:
            cursor.execute("CREATE ROLE somebody LOGIN")
            for schema in ("zeke_jobs", "pgboss"):
                refused = pytest.raises(MigrationError, match="CREATE SCHEMA pgboss AUTHORIZATION")
                with closing(connect(theirs)) as weak, refused:
                    migrate.migrate(weak)
                cursor.execute(f"CREATE SCHEMA {schema} AUTHORIZATION somebody")
        # Only a superuser sees the connections of other roles, so the doctor's findings are not compared.
        assert {**lives(theirs), "doctor": []} == usual
    finally:
        embedded.stop(folder, mode="immediate")
        shutil.rmtree(folder)


def test_another_encoding_than_utf8_an_old_server_and_a_standby_are_refused_by_name(make: Callable[[str], str]) -> None:
    for encoding in ("LATIN1", "SQL_ASCII"):
        url = make(f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
        refused = pytest.raises(ConfigurationError, match=f"expected a database with the encoding UTF8, got {encoding}")
        with closing(connect(url)) as conn, refused:
            migrate.migrate(conn)
    old, standby = "PostgreSQL 15 or later .* got PostgreSQL 14", "takes writes, got a hot standby"
    for version, is_standby, words in ((140021, "off", old), (150004, "on", standby)):
        said = {"server_encoding": "UTF8", "in_hot_standby": is_standby}
        server: Any = SimpleNamespace(info=SimpleNamespace(server_version=version, parameter_status=said.get))
        with pytest.raises(ConfigurationError, match=words):
            installation.verify_server(server)
