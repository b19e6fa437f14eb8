"""The async client uses its own connections, or the caller's connection or pool, also inside the caller's transaction."""

import asyncio
import json
import sys
import threading
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psycopg
import psycopg_pool
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.commands import MakeTask, Patch
from tests.zeke_jobs.sql import change, rows, value
from zeke_jobs import aio
from zeke_jobs.errors import ConfigurationError, InvalidPayload, JobFailed, JobNotFound, WaitTimeout

pytestmark = pytest.mark.anyio
DRIVERS = ["psycopg", "psycopg_pool", "asyncpg", "asyncpg_pool", "asyncpg_codecs", "sqlalchemy", "own"]
ENDED = "state = 'done', result = '1', completed_on = now()"
KILL = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'zeke-jobs client'"""


def each_driver(*drivers: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("connection", drivers, indirect=True)


class Page(zeke_jobs.Payload):
    page_url: str


@pytest.fixture(autouse=True)
def fetch(make_task: MakeTask) -> None:
    make_task("fetch", Page, aliases=["get"])


@pytest.fixture
async def connection(request: pytest.FixtureRequest, database: str) -> AsyncIterator[Any]:
    """Open a connection or pool of the test's driver (none for ``own``, the default); check that no call starts a thread."""
    made: Any = None
    match getattr(request, "param", "own"):
        case "psycopg":
            made = await psycopg.AsyncConnection.connect(database, autocommit=True)
        case "psycopg_pool":
            made = psycopg_pool.AsyncConnectionPool(database, open=False, min_size=1)
            await made.open()
        case "asyncpg":
            made = await asyncpg.connect(database)
        case "asyncpg_codecs":
            made = await asyncpg.connect(database)
            for kind in ("json", "jsonb"):
                await made.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        case "asyncpg_pool":
            made = await asyncpg.create_pool(database, min_size=1)
        case "sqlalchemy":
            from sqlalchemy import NullPool
            from sqlalchemy.ext.asyncio import create_async_engine

            url = urlunsplit(urlsplit(database)._replace(scheme="postgresql+psycopg"))
            made = await create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect()
    before = set(threading.enumerate())  # A thread of an earlier test may end meanwhile.
    yield made
    assert set(threading.enumerate()) <= before
    await (aio if made is None else made).close()


@each_driver(*DRIVERS)
async def test_jobs_are_sent_asked_about_cancelled_retried_and_waited_for(connection: Any, conn: Connection) -> None:
    options: Any = {"delay": 60, "priority": 5, "key": "k", "units": None, "idempotency_key": "once"}
    sent = await aio.send("get", {"pageUrl": "u"}, **options, connection=connection)
    assert (sent.status, sent.task_id, sent.duplicate) == ("created", "fetch", False)
    again = await aio.send("get", {"pageUrl": "v"}, idempotency_key="once", connection=connection)
    assert (again.id, again.duplicate) == (sent.id, True)
    job = await aio.status(str(sent.id), connection=connection)
    assert (job.data, job.priority, job.key) == ({"page_url": "u"}, 5, "k")
    assert job == zeke_jobs.status(sent.id)
    assert (await aio.cancel(sent.id, "not needed", by="ada", connection=connection)).status == "cancelled"
    assert (await aio.retry(sent.id, connection=connection)).status == "created"
    await aio.emit("callback/42", {"by": "Ada"}, connection=connection)
    pages = [{"page_url": str(n)} for n in range(3)]
    many = await aio.send_many("fetch", pages, keys=["a", None, "b"], connection=connection)
    assert [(await aio.status(one.id, connection=connection)).key for one in many] == ["a", None, "b"]
    then = ("anything", {"failed": {"$batch": "failed"}})
    assert len(await aio.send_many("fetch", pages[:1], connection=connection, batch="import-1", then=then)) == 1
    assert await aio.send_many("fetch", [], connection=connection) == []
    assert zeke_jobs.batch_status("import-1").jobs == 1
    waiting = asyncio.create_task(aio.wait(sent.id, 30, connection=connection))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    change(conn, sent.id, """state = 'done', result = '{"n": 1}', completed_on = now()""")
    assert await asyncio.wait_for(waiting, 10) == {"n": 1}
    assert await aio.wait(sent.id, 0, connection=connection) == {"n": 1}


@pytest.mark.parametrize("ends", ["COMMIT", "ROLLBACK"])
@each_driver("psycopg", "asyncpg")
async def test_a_send_is_part_of_the_callers_transaction(connection: Any, ends: str) -> None:
    await connection.execute("BEGIN")
    sent = await aio.send("anything", connection=connection)
    assert list(zeke_jobs.jobs()) == []
    # A refused send leaves the transaction usable.
    with pytest.raises(InvalidPayload):
        await aio.send("fetch", connection=connection)
    await connection.execute(ends)
    assert [job.id for job in zeke_jobs.jobs()] == ([sent.id] if ends == "COMMIT" else [])


@each_driver("own", "asyncpg_pool")
async def test_a_wait_ends_in_time_and_says_what_became_of_the_job(connection: Any, conn: Connection) -> None:
    sent = await aio.send("anything", connection=connection)
    with pytest.raises(WaitTimeout, match=r"to end within 0.2 s, got created still"):
        await aio.wait(sent.id, 0.2, connection=connection)
    change(conn, sent.id, "state = 'rejected', completed_on = now()")
    with pytest.raises(JobFailed):
        await aio.wait(sent.id, 5, connection=connection)
    with pytest.raises(JobNotFound):
        await aio.wait(uuid.uuid4(), 5, connection=connection)


@pytest.mark.usefixtures("connection")
async def test_waits_and_calls_outlive_lost_connections_closes_and_cancels_on_few_connections(conn: Connection) -> None:
    sent = await aio.send("anything")
    alone = asyncio.create_task(aio.wait(sent.id, 30))
    for _ in range(5):
        await asyncio.sleep(0.05)
        rows(conn, KILL)
    change(conn, sent.id, ENDED)
    assert await asyncio.wait_for(alone, 20) == 1
    rows(conn, KILL)
    assert not (await aio.send("anything")).duplicate
    assert value(conn, "SELECT count(*) FROM zeke_jobs.queue") == 2
    sent = await aio.send("anything")
    waiting = [asyncio.create_task(aio.wait(sent.id)) for _ in range(2)]
    for _ in range(2):
        await asyncio.sleep(0.3)
        await aio.close()
    waiting.append(asyncio.create_task(aio.wait(sent.id)))
    await asyncio.sleep(0)
    await aio.close()  # The last waiter still queries.
    change(conn, sent.id, ENDED)
    assert await asyncio.wait_for(asyncio.gather(*waiting), 10) == [1] * 3
    many = await aio.send_many("anything", [{}] * 30)
    waiting = [asyncio.create_task(aio.wait(one.id, 30)) for one in many]
    await asyncio.sleep(0.5)
    theirs = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'zeke-jobs %'"
    assert 1 <= value(conn, theirs) <= 8
    for one in many:
        change(conn, one.id, ENDED)
    assert await asyncio.wait_for(asyncio.gather(*waiting), 20) == [1] * 30
    with conn.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE zeke_jobs.queue IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aio.send("anything"), 0.3)
        cursor.execute("COMMIT")
    assert (await asyncio.gather(*(aio.send("anything") for _ in range(20))))[0].status == "created"


@each_driver("psycopg")
async def test_wrong_connection_or_no_driver_is_refused(connection: Any, conn: Connection, monkeypatch: Patch) -> None:
    with pytest.raises(TypeError, match="expected an asynchronous connection or pool"):
        await aio.send("anything", connection=conn)
    with pytest.raises(TypeError, match=r"await zeke_jobs.aio.send"):
        zeke_jobs.send("anything", connection=connection)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"help: pass connection=, or pip install (?:-e )?'\S+\[psycopg\]'"):
        await aio.send("anything")


def test_loops_at_the_same_time_have_connections_of_their_own() -> None:
    together = threading.Barrier(2)

    async def work() -> None:
        await aio.send("anything")
        together.wait(20)
        await asyncio.gather(*(aio.send("anything") for _ in range(20)))
        await aio.close()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(asyncio.run, (work(), work())))
    assert len(list(zeke_jobs.jobs())) == 42
