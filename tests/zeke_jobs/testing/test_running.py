"""``run_jobs`` runs jobs without a worker. The example tests in docs/testing.md pass."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import scalar
from tests.zeke_jobs.testing.blocks import blocks, python
from tests.zeke_jobs.worker.conftest import load
from tests.zeke_jobs.worker.handlers import CALLS
from zeke_jobs.testing import FakeContext, JobRunner, prepare, release_clock, set_clock

DESK = "tests.zeke_jobs.worker.handlers:Desk"
TASKS = """
  echo: {handler: 'H:echo'}
  rare: {handler: 'H:echo', rate: 2/h}
  rare-by-key: {handler: 'H:echo', rate: {per_key: 1/h}}
  paused: {handler: 'H:echo', paused: true}
  again: {handler: 'H:fail_once', retry: {limit: 2, delay: 5m}}
  throttled: {handler: 'H:throttled_once', uses: [ai]}
  chain: {handler: 'H:chain_async', retry: {limit: 0}}
  everything: {handler: 'H:everything', retry: {limit: 1}}
  at-desk: {handler: 'H:at_desk'}
  strict: {handler: 'H:fail', order: strict, retry: {limit: 0}}
"""


Runner: TypeAlias = Callable[..., list[zeke_jobs.Job]]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BODY = "SELECT prolang::text || prosrc FROM pg_proc WHERE oid = 'zeke_jobs.now()'::regprocedure"


@pytest.fixture
def run_jobs(database: str) -> Iterator[Runner]:
    config = load(TASKS, f"limits: {{ai: {{concurrency: 2}}}}\nservices: {{desk: {{use: '{DESK}'}}}}")
    CALLS.clear()
    prepare(database, config)
    runner = JobRunner(config, database)
    yield runner
    runner.close()


def ended(jobs: list[zeke_jobs.Job]) -> Counter[tuple[str, str]]:
    return Counter((job.task_id, job.status) for job in jobs)


def test_a_due_job_that_may_not_start_stops_no_other_and_runs_when_its_limit_lets_it(run_jobs: Runner) -> None:
    zeke_jobs.send("paused")
    zeke_jobs.send("strict", key="a")
    zeke_jobs.send("strict", key="a")  # The second job waits behind the first job, which will fail.
    zeke_jobs.send("again")
    zeke_jobs.send("echo", delay=3600)
    found = ended(run_jobs(waits=False, raises=False))
    assert found == {("again", "completed"): 1, ("echo", "completed"): 1, ("strict", "failed"): 1}
    zeke_jobs.send_many("rare", [{"n": n} for n in range(5)])
    zeke_jobs.send_many("rare-by-key", [{}] * 3, keys=["a", "a", "b"])
    zeke_jobs.send_many("throttled", [{}, {}])
    assert ended(run_jobs()) == {("rare", "completed"): 1, ("rare-by-key", "completed"): 2}
    later = {("rare", "completed"): 4, ("rare-by-key", "completed"): 1, ("throttled", "completed"): 2}
    assert ended(run_jobs(waits=False)) == later


@pytest.mark.parametrize("in_transaction", [False, True])
def test_jobs_that_expire_end_their_batch(run_jobs: Runner, database: str, in_transaction: bool) -> None:
    with closing(psycopg2.connect(database)) as conn:
        conn.autocommit = not in_transaction
        options: Any = {"connection": conn}
        zeke_jobs.send_many("paused", [{}, {}], batch="import-42", then=("echo", {"n": 1}), expires=60, **options)
        zeke_jobs.send("echo", delay=30, **options)
        found = run_jobs(waits=False, **options)
        expected = [("echo", "completed"), *[("paused", "cancelled")] * 2, ("echo", "completed")]
        assert [(job.task_id, job.status) for job in found] == expected
        assert zeke_jobs.batch_status("import-42", **options).cancelled == 2


def test_async_handlers_run_with_what_they_await_also_in_an_async_test(run_jobs: Runner, database: str) -> None:
    with closing(psycopg2.connect(database)) as conn:
        conn.autocommit = True
        conn.cursor().execute("CREATE TABLE written (n integer)")
        zeke_jobs.send("chain", {"n": 3})
        zeke_jobs.send("everything")
        zeke_jobs.send_many("at-desk", [{}] * 2)
        found = ended(run_jobs(waits=False))
        expected = {"chain": 1, "everything": 1, "at-desk": 2, "echo": 5}
        assert found == {(task, "completed"): count for task, count in expected.items()}
    assert CALLS.count(("opened", "event loop")) == 1

    async def test() -> None:
        zeke_jobs.send("everything")
        assert ended(run_jobs(waits=False))["everything", "completed"] == 1

    asyncio.run(test())


def test_one_in_the_transaction_of_a_test_has_no_transaction_of_its_own(run_jobs: Runner, database: str) -> None:
    with closing(psycopg2.connect(database)) as conn:
        zeke_jobs.send("everything", connection=conn)
        assert ended(run_jobs(waits=False, connection=conn))[("everything", "completed")] == 1
        zeke_jobs.send("chain", {"n": 3}, connection=conn)
        with pytest.raises(RuntimeError, match="without connection="):
            run_jobs(connection=conn)


def test_a_released_clock_is_the_function_that_migrate_makes(conn: Connection) -> None:
    made = scalar(conn, BODY)
    set_clock(conn, NOON)
    assert scalar(conn, "SELECT zeke_jobs.now()") == NOON
    release_clock(conn)
    assert scalar(conn, BODY) == made
    assert scalar(conn, "SELECT zeke_jobs.now() > now()") is True


ROOT = Path(__file__).parents[3]
SETTINGS = ROOT / "tests" / "zeke_jobs" / "django" / "project" / "settings.py"
URLS = """
from django.http import JsonResponse
from django.urls import path
import zeke_jobs
def buy(request, order):
    return JsonResponse({"job": str(zeke_jobs.send("send-invoice", {"order": order}).id)})
urlpatterns = [path("orders/<int:order>", buy)]
"""
PAGE = ROOT / "docs" / "testing.md"


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *arguments, **env)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    for name in ("conftest.py", "jobs.yaml", "shop.py", "api.py", "test_api.py", "test_shop.py"):
        (tmp_path / name).write_text("\n\n".join(blocks(PAGE, name)))
    return tmp_path


def test_the_tests_of_django_pass(program: Path, server_url: str) -> None:
    (program / "settings.py").write_text(SETTINGS.read_text() + 'ROOT_URLCONF = "urls"\nALLOWED_HOSTS = ["*"]\n')
    (program / "urls.py").write_text(URLS)
    for name in ("test_api.py", "test_shop.py"):
        (program / name).unlink()
    (program / "conftest.py").write_text(blocks(PAGE, "conftest.py in Django")[0])
    (program / "test_views.py").write_text(blocks(PAGE, "test_views.py")[0])
    done = run(program, "-p", "pytest_django.plugin", "--ds", "settings", DATABASE_URL=server_url)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


WRONG = """
import pytest, zeke_jobs
from zeke_jobs.errors import InvalidPayload, UnknownTask

def test_refusals(sent_jobs):
    with pytest.raises(UnknownTask, match="did you mean 'send-mail'"):
        zeke_jobs.send("send-mial", {})
    with pytest.raises(InvalidPayload, match="expected a value, got none"):
        zeke_jobs.send("send-invoice", {})
    with pytest.raises(TypeError, match="did you mean 'delay'"):
        zeke_jobs.send("send-invoice", {"order": 1}, dely=1)
    with pytest.raises(TypeError, match="expected a connection"):
        zeke_jobs.send("send-invoice", {"order": 1}, connection="nonsense")
    assert sent_jobs == []

def test_many_and_keys(sent_jobs):
    zeke_jobs.send_many("send-invoice", [{"order": 1}, {"order": 2}], keys=["a", None], priority=3)
    assert [(one.payload, one.options) for one in sent_jobs.of("send-invoice")] == [
        ({"order": 1}, {"priority": 3, "key": "a"}), ({"order": 2}, {"priority": 3})]
    with pytest.raises(AssertionError, match="got 2; sent was\\n  send-invoice {'order': 1}"):
        sent_jobs.assert_sent("send-invoice")
    zeke_jobs.send("send-mail", {"to": "a", "text": "b"}, unique=["to"], expires=60)
    sent_jobs.assert_sent("send-mail", {"to": "a"}, unique=["to"], expires=60)
    zeke_jobs.send("send-invoice", {"order": 9}, units={"tokens": 5})
    sent_jobs.assert_sent("send-invoice", {"order": 9}, units={"tokens": 5})
    with pytest.raises(UnknownTask):
        sent_jobs.assert_sent("send-mial")
    with pytest.raises(AssertionError, match="order.: 3.*got 0"):
        sent_jobs.assert_sent("send-invoice", {"order": 3})

def test_a_failure_is_raised_or_returned(run_jobs):
    zeke_jobs.send("breaks")
    with pytest.raises(ZeroDivisionError):
        run_jobs()
    zeke_jobs.send("breaks")
    [job] = run_jobs(raises=False)
    assert (job.status, job.error["type"]) == ("failed", "ZeroDivisionError")

def test_transactions_of_handlers(run_jobs, zeke_database):
    import psycopg2
    connection = psycopg2.connect(zeke_database)
    connection.cursor().execute("CREATE TABLE kept (n int)")
    zeke_jobs.send("writes", {}, connection=connection)
    zeke_jobs.send("writes-and-breaks", {}, connection=connection)
    assert {job.status for job in run_jobs(connection=connection, raises=False)} == {"completed", "failed"}
    cursor = connection.cursor()
    cursor.execute("SELECT n FROM kept")
    assert cursor.fetchall() == [(1,)]
    connection.close()

def test_the_clock_runs_again_by_itself(run_jobs, zeke_clock):
    before = zeke_clock.now()
    zeke_jobs.send("send-invoice", {"order": 7}, delay=86400)
    assert len(run_jobs(waits=False)) == 2
    assert (zeke_clock.now() - before).total_seconds() < 60
"""
MORE = """
  breaks: {handler: "more:breaks", retry: {limit: 0}}
  writes: {handler: "more:writes"}
  writes-and-breaks: {handler: "more:writes_and_breaks", retry: {limit: 0}}
"""
HANDLERS = """
from zeke_jobs import Context, Payload

def breaks(payload: Payload, ctx: Context) -> None:
    1 / 0

def writes(payload: Payload, ctx: Context) -> None:
    with ctx.transaction() as tx:
        tx.cursor().execute("INSERT INTO kept VALUES (1)")
        ctx.complete()

def writes_and_breaks(payload: Payload, ctx: Context) -> None:
    with ctx.transaction() as tx:
        tx.cursor().execute("INSERT INTO kept VALUES (2)")
        1 / 0
"""


def test_the_tests_of_the_page_pass_and_what_it_says_besides_holds(program: Path) -> None:
    (program / "test_more.py").write_text(WRONG)
    (program / "test_wrong.py").write_text('def test_it(sent_jobs):\n    sent_jobs.assert_sent("send-invoice")\n')
    (program / "more.py").write_text(HANDLERS)
    with (program / "jobs.yaml").open("a") as file:
        file.write(MORE)
    ignored = "ignore::DeprecationWarning"  # FastAPI's test client causes the warning.
    done = run(program, "-W", ignored, "-p", "no:django")
    assert "1 failed, 9 passed" in done.stdout, done.stdout + done.stderr
    # The traceback shows the line of the test, and no line of zeke_jobs.
    assert ">       sent_jobs.assert_sent" in done.stdout
    assert "expected one job of send-invoice" in done.stdout
    assert "sends.py" not in done.stdout


def test_a_fake_context_keeps_what_a_handler_says_and_says_what_it_was_not_given() -> None:
    ctx = FakeContext(services={"web": object()})
    ctx.used(tokens=900)
    ctx.used(tokens=34)
    ctx.throttled("ai", 12, "slow down")
    assert (ctx.units, ctx.throttles) == ({"tokens": 934}, [("ai", 12.0, "slow down")])
    with pytest.raises(ValueError, match="expected tokens as a number of at least 0, got -1"):
        ctx.used(tokens=-1)
    with pytest.raises(RuntimeError, match=r"expected FakeContext\(settings=…\)"):
        _ = ctx.settings.shortest
    with pytest.raises(RuntimeError, match=r"ctx.service\('ai'\), got web"):
        ctx.service("ai")
    with pytest.raises(RuntimeError, match=r"expected FakeContext\(db=…\)"):
        _ = ctx.db
