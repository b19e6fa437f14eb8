"""What roles, names and operators can do at the doors of the database, each with honest jobs beside that must not notice it."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg2
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.traffic import TASKS
from tests.lab.chaos.world import World, world
from zeke_jobs.postgres.pool import connect

HONEST = {True: 20, False: 200}  # jobs beside each fault, when quick and when not
BOUND = 10.0  # seconds from the send of an honest job to its end; it takes some milliseconds
_PATIENCE = 60.0  # seconds in which all of them end at the latest
_EVERY = 0.05  # seconds between two of them
_ENDS = """
  SELECT count(*) FILTER (WHERE state = 'done' AND attempt = 1), extract(epoch FROM max(completed_on - created_on))
  FROM zeke_jobs.queue WHERE message_id = ANY (%s::uuid[])"""
_HOLDER = "SELECT w.pid FROM zeke_jobs.queue AS q JOIN zeke_jobs.worker AS w ON w.id = q.worker WHERE q.message_id = %s"
_RUNS = "SELECT count(*) FROM zeke_jobs.queue WHERE message_id = ANY (%s::uuid[]) AND state = 'consumed'"
_OPEN = "SELECT count(*) FROM zeke_jobs.queue WHERE message_id = ANY (%s::uuid[]) AND state IN ('queued', 'consumed')"
_UNREAD = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"
_LONG = "q" * 100


@dataclass(frozen=True)
class Fault:
    """What is done, in words and in code.

    Attributes:
        number: Its number in the list of faults found from outside.
        broke: In words.
        during: The fault lasts while this context is open.
        task: The task of the honest jobs.
        options: Their options.
    """

    number: int
    broke: str
    during: Callable[[World], AbstractContextManager[None]]
    task: str = "fast"
    options: dict[str, Any] = field(default_factory=dict)


def beside(name: str, *names: str, quick: bool) -> Outcome:
    """The fault of this name, or all these, with honest jobs beside each."""
    faults = [FAULTS[one] for one in names or (name,)]
    with world(name, quick=quick, kinds={}) as here:
        here.zeke("roles", "--apply")
        here.two()
        here.until(lambda: here.whole(2, 1), 60, "two workers")
        for fault in faults:
            with fault.during(here):
                _honest(here, fault, HONEST[quick])
        here.drain()
        return here.outcome("; ".join(fault.broke for fault in faults), after_share=None)


def _honest(here: World, fault: Fault, count: int) -> None:
    sent = []
    with closing(connect(here.url)) as conn:
        for _ in range(count):
            sent.append(str(zeke_jobs.send(fault.task, {"plain": True}, connection=conn, **fault.options).id))
            time.sleep(_EVERY)
    here.traffic.ledger.update(sent)
    here.comes(lambda: here.look(_OPEN, sent) == 0, _PATIENCE)
    [(done, longest)] = here.rows(_ENDS, sent)
    here.promise(
        f"{fault.number}: each of {count} honest jobs completes at its first attempt, got {done}", done == count
    )
    here.promise(f"{fault.number}: the slowest in {BOUND:g} s, got {longest or -1:.1f} s", 0 <= (longest or -1) < BOUND)


@contextmanager
def _as(here: World, role: str) -> Iterator[psycopg2.extensions.cursor]:
    """A session with the rights of a role; its transaction stays open unless it ends it."""
    with closing(psycopg2.connect(here.url)) as conn, conn.cursor() as cursor:
        cursor.execute(f"SET SESSION AUTHORIZATION {role}")
        conn.commit()
        yield cursor


def _running(here: World, task: str, payload: dict[str, Any], count: int, **options: Any) -> list[str]:
    jobs = [here.traffic.send(task, payload, **options) for _ in range(count)]
    here.until(lambda: here.look(_RUNS, jobs) == count, 30, "running jobs")
    return jobs


@contextmanager
def _cancel_and_kill(here: World) -> Iterator[None]:
    (job,) = _running(here, "slow", {"seconds": 60.0}, 1)
    others = _running(here, "fast", {"seconds": 4.0, "plain": True}, 8)
    pid = here.look(_HOLDER, job)
    doomed = next(kept for kept in here.keeper.kept if pid in kept.pids())
    os.killpg(doomed.command.pid, signal.SIGSTOP)  # else it would stop the handler in time
    here.zeke("apply", here.write("without.yaml", _without("slow")), "--cancel", "slow")
    here.kill(doomed)
    yield
    here.promise(
        "20: the lost jobs of other tasks run again", here.comes(lambda: here.look(_OPEN, [job, *others]) == 0, 60)
    )
    state = here.look("SELECT state::text FROM zeke_jobs.job WHERE id = %s", job)
    here.promise(f"20: the job of the removed task ends as cancelled, got {state}", state == "cancelled")
    here.zeke("apply", "jobs.yaml")
    here.until(lambda: here.whole(2, 1), 60, "two workers")


def _without(task: str) -> str:
    return "".join(line for line in TASKS.splitlines(keepends=True) if not line.startswith(f"  {task}:"))


_CARRIED: list[dict[str, Any]] = [
    {"retry": {"limit": "1e2"}},
    {"retry": {"delay": "nan"}},
    {"retry": {"limit": -1, "delay": [], "max_delay": {}}},
    {"timeout": "for ever"},
    {"timeout": 1e300},
    {"keep": "x", "traceparent": 5},
    {"max_queued": None, "time_limit": 1e300},
    {"units": {"tokens": "x"}, "max_age": "x"},
    {"failure_of": "00000000-0000-0000-0000-000000000001"},
]


#: Sends a job that runs for a while, past the checks of zeke_jobs.send.
_ENQUEUE = """
  SELECT i.id, zeke_jobs.enqueue('fast', NULL, '{"seconds": 2, "plain": true}', %s, i.id::text)
  FROM (SELECT gen_random_uuid() AS id) AS i"""


@contextmanager
def _carried(here: World) -> Iterator[None]:
    accepted = []
    with _as(here, "zeke_jobs_client") as client:
        client.connection.autocommit = True
        for carried in _CARRIED * 5:
            for options in ({"carried": carried}, carried):
                try:
                    client.execute(_ENQUEUE, (json.dumps(options),))
                except psycopg2.DataError:
                    continue
                accepted += [str(job) for job, refusal in client.fetchall() if refusal is None]
    here.traffic.ledger.update(accepted)
    here.kill(here.keeper.kept[0])
    yield
    here.promise("21: some pass the checks", bool(accepted))
    here.promise("21: what was accepted ends", here.comes(lambda: here.look(_OPEN, accepted) == 0, 60))
    for view in ("zeke_jobs.job", "pgboss.job"):
        here.promise(f"21: {view} answers", here.look(f"SELECT count(v::text) FROM {view} AS v") >= len(accepted))
    here.until(lambda: here.whole(2, 1), 60, "two workers")


@contextmanager
def _long_queue(here: World) -> Iterator[None]:
    text = TASKS + f'  far: {{handler: "tests.lab.chaos.handlers:work", queue: {_LONG}}}\n'
    here.zeke("apply", here.write("long.yaml", text))
    third = here.worker(ZEKE_JOBS_CONFIG="long.yaml")
    here.until(lambda: here.whole(3, 1), 60, "three workers")
    (first,) = _running(here, "far", {"seconds": 3.0, "plain": True}, 1)
    here.kill(third)  # and starts again
    second = here.traffic.send("far", {"plain": True})
    yield
    ended = here.comes(lambda: here.look(_OPEN, [first, second]) == 0, 60)
    here.promise(f"22: jobs of a queue with {len(_LONG)} letters run, also after a rescue", ended)
    here.keeper.release(third)
    third.command.stop(30)
    here.zeke("apply", "jobs.yaml")


@contextmanager
def _apply_beside_a_replacing_send(here: World) -> Iterator[None]:
    debounce: dict[str, Any] = {
        "unique": {"fields": ["group"], "while": "queued", "on_duplicate": "replace"},
        "delay": 300,
    }
    debounced = here.traffic.send("chained", {"group": "g"}, **debounce)
    with closing(psycopg2.connect(here.url)) as conn:
        zeke_jobs.send("chained", {"group": "g", "seconds": 0.1}, connection=conn, **debounce)
        text = TASKS.replace("  chained: {", "  chained: {priority: 5, concurrency: {per_key: 1}, order: strict, ")
        began = time.monotonic()
        here.zeke("apply", here.write("changed.yaml", text))
        here.promise("23: apply waits for no sender", time.monotonic() - began < BOUND)
        yield
    here.zeke("cancel", debounced)
    here.zeke("apply", "jobs.yaml")


@contextmanager
def _migrate_beside_a_reader(here: World) -> Iterator[None]:
    here.rows("UPDATE zeke_jobs.migration SET checksum = 'earlier' WHERE name LIKE 'code-%'")
    with _as(here, "zeke_jobs_reader") as reader:
        reader.execute("SELECT count(*) FROM zeke_jobs.job, zeke_jobs.schedule, pgboss.job AS theirs")
        migrating = here.fleet.run("zeke-jobs", "migrate")
        yield
        still = migrating.process.poll() is None or "pg_terminate_backend" in migrating.text()
        here.promise("24: migrate waits, or names the reader", still)
    migrating.process.wait(60)
    if migrating.process.returncode:
        here.zeke("migrate")


@contextmanager
def _open_transactions(here: World) -> Iterator[None]:
    here.look("SELECT zeke_jobs.open_batch('shared')::text")
    jobs = _running(here, "fast", {"seconds": 1.0, "plain": True}, 4, batch="shared")
    with _as(here, "zeke_jobs_client") as client, _as(here, "zeke_jobs_operator") as operator:
        client.execute("SET CONSTRAINTS ALL IMMEDIATE")
        client.execute("SELECT zeke_jobs.send('fast', '{\"plain\": true}', '{\"batch\": \"shared\"}')")
        operator.execute("SELECT zeke_jobs.change_jobs('cancel', jsonb_build_object('id', %s::text))", (jobs[0],))
        yield
    here.look("SELECT zeke_jobs.close_batch('shared')")
    here.promise("25: the held up jobs end", here.comes(lambda: here.look(_OPEN, jobs) == 0, 30))


@contextmanager
def _frozen_claim(here: World) -> Iterator[None]:
    """Two sessions claim a long job each, as workers do, and do not read the answer: to the claim, and to the message."""
    frozen = [uuid4(), uuid4()]
    text = {"plain": True, "text": "x" * 800_000}
    _signal_all(here, signal.SIGSTOP)
    long = [here.traffic.send("limited", text, priority=100) for _ in frozen]
    with closing(_unread(here, frozen[0], messages=False)), closing(_unread(here, frozen[1], messages=True)):
        _signal_all(here, signal.SIGCONT)
        here.promise("26: the server waits to write", here.comes(lambda: here.look(_UNREAD) > 0, 10))
        yield
    # Nobody registered these two; a rescue would wait a minute for that.
    here.rows(f"UPDATE zeke_jobs.queue SET state = 'queued', worker = NULL WHERE worker IN {(*map(str, frozen),)}")
    here.promise("26: the long jobs run", here.comes(lambda: here.look(_OPEN, long) == 0, 30))


def _signal_all(here: World, number: signal.Signals) -> None:
    for kept in here.keeper.kept:
        if kept.wanted:
            os.killpg(kept.command.pid, number)


def _unread(here: World, worker: UUID, *, messages: bool) -> Connection:
    conn = psycopg2.connect(here.url, async_=1)
    psycopg2.extras.wait_select(conn)
    cursor = conn.cursor()
    claim = "SELECT * FROM zeke_jobs.claim(%s, 'default', '{limited}', 1, NULL, false, 1)"
    cursor.execute(claim, (str(worker),))
    if messages:
        psycopg2.extras.wait_select(conn)
        cursor.execute("SELECT message::text FROM zeke_jobs.queue WHERE worker = %s", (str(worker),))
    here.comes(lambda: here.look("SELECT count(*) FROM zeke_jobs.queue WHERE worker = %s", str(worker)), 2)
    return conn


FAULTS = {
    "cancel-and-kill": Fault(
        20, "apply --cancel of a task whose handler runs, and SIGKILL to its worker", _cancel_and_kill
    ),
    "hostile-options": Fault(
        21,
        f"{10 * len(_CARRIED)} sends of a client with unfit options, also carried ones, and SIGKILL to a worker",
        _carried,
    ),
    "long-queue": Fault(22, f"a queue whose name has {len(_LONG)} letters, and SIGKILL to its worker", _long_queue),
    "apply-beside-sender": Fault(
        23, "apply while a sender's open transaction has replaced a queued job", _apply_beside_a_replacing_send
    ),
    "migrate-beside-reader": Fault(24, "migrate beside an open read of our views", _migrate_beside_a_reader),
    "open-transactions": Fault(
        25,
        "open transactions: a client awaits running jobs and has sent into their batch, an operator has cancelled one",
        _open_transactions,
        options={"batch": "shared"},
    ),
    "frozen-claim": Fault(
        26, "two sessions that do not read the answer to a claim of 800 kB", _frozen_claim, task="limited"
    ),
}
