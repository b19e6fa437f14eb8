"""Roles, names and operators do all that the database allows, while honest jobs run undisturbed."""

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
from tests.lab.chaos.world import OPEN, World, world
from zeke_jobs.postgres.pool import connect

# HONEST is the number of honest jobs beside each fault, by the value of ``quick``.
HONEST = {True: 20, False: 200}
BOUND = 10.0  # An honest job must end within BOUND seconds after its send; the job takes some milliseconds.
_PATIENCE = 60.0  # All honest jobs must end within _PATIENCE seconds.
_EVERY = 0.05  # An honest job is sent every _EVERY seconds.
_ENDS = """
  SELECT count(*) FILTER (WHERE state = 'done' AND attempt = 1), extract(epoch FROM max(completed_on - created_on))
  FROM zeke_jobs.queue WHERE message_id = ANY (%s::uuid[])"""
_THESE = "AND message_id = ANY (%s::uuid[])"
_UNREAD = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"
_LONG = "q" * 100


@dataclass(frozen=True)
class Fault:
    """A fault has a description and a function; the honest jobs run ``task`` with ``options``."""

    broke: str
    during: Callable[[World], AbstractContextManager[None]]  # The fault lasts while the context manager is open.
    task: str = "fast"
    options: dict[str, Any] = field(default_factory=dict)


def beside(name: str, *names: str, quick: bool) -> Outcome:
    """Cause one fault, or all named faults, with honest jobs beside each."""
    faults = {one: FAULTS[one] for one in names or (name,)}
    with world(name, quick=quick, kinds={}) as here:
        here.zeke("roles", "--apply")
        here.two()
        here.join()
        for one, fault in faults.items():
            with fault.during(here):
                _honest(here, one, HONEST[quick])
        here.drain()
        return here.outcome("; ".join(fault.broke for fault in faults.values()), after_share=None)


def _honest(here: World, name: str, count: int) -> None:
    fault, sent = FAULTS[name], []
    with closing(connect(here.url)) as conn:
        for _ in range(count):
            sent.append(str(zeke_jobs.send(fault.task, {"plain": True}, connection=conn, **fault.options).id))
            time.sleep(_EVERY)
    here.traffic.ledger.update(sent)
    here.comes(lambda: here.look(f"{OPEN} {_THESE}", sent) == 0, _PATIENCE)
    [(done, longest)] = here.rows(_ENDS, sent)
    here.promise(f"{name}: each of {count} honest jobs completes at its first attempt, got {done}", done == count)
    here.promise(f"{name}: the slowest in {BOUND:g} s, got {longest or -1:.1f} s", 0 <= (longest or -1) < BOUND)


@contextmanager
def _as(here: World, role: str) -> Iterator[psycopg2.extensions.cursor]:
    """Open a session with the rights of a role; its transaction stays open unless the caller ends it."""
    with closing(psycopg2.connect(here.url)) as conn, conn.cursor() as cursor:
        cursor.execute(f"SET SESSION AUTHORIZATION {role}")
        conn.commit()
        yield cursor


def _running(here: World, task: str, payload: dict[str, Any], count: int, **options: Any) -> list[str]:
    jobs = [here.traffic.send(task, payload, **options) for _ in range(count)]
    here.until(lambda: here.look(f"{OPEN} {_THESE} AND state = 'consumed'", jobs) == count, 30, "running jobs")
    return jobs


@contextmanager
def _long_queue(here: World) -> Iterator[None]:
    text = TASKS + f'  far: {{handler: "tests.lab.chaos.handlers:work", queue: {_LONG}}}\n'
    here.zeke("apply", here.write("long.yaml", text))
    third = here.worker(ZEKE_JOBS_CONFIG="long.yaml")
    here.join(3)
    (first,) = _running(here, "far", {"seconds": 3.0, "plain": True}, 1)
    here.kill(third)  # The killed worker is restarted.
    second = here.traffic.send("far", {"plain": True})
    yield
    ended = here.comes(lambda: here.look(f"{OPEN} {_THESE}", [first, second]) == 0, 60)
    here.promise(f"jobs of a queue with {len(_LONG)} letters run, also after a rescue", ended)
    here.keeper.release(third)
    third.command.stop(30)
    here.zeke("apply", "jobs.yaml")


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
    here.promise("the held up jobs end", here.comes(lambda: here.look(f"{OPEN} {_THESE}", jobs) == 0, 30))


@contextmanager
def _frozen_claim(here: World) -> Iterator[None]:
    """Let two sessions claim a long job each without reading the answer: the claim's, and the message's."""
    frozen = [uuid4(), uuid4()]
    text = {"plain": True, "text": "x" * 800_000}
    _signal_all(here, signal.SIGSTOP)
    long = [here.traffic.send("limited", text, priority=100) for _ in frozen]
    with closing(_unread(here, frozen[0], messages=False)), closing(_unread(here, frozen[1], messages=True)):
        _signal_all(here, signal.SIGCONT)
        here.promise("the server waits to write", here.comes(lambda: here.look(_UNREAD) > 0, 10))
        yield
    # The two sessions are not registered, and a rescue would wait a minute for them.
    here.rows(f"UPDATE zeke_jobs.queue SET state = 'queued', worker = NULL WHERE worker IN {(*map(str, frozen),)}")
    here.promise("the long jobs run", here.comes(lambda: here.look(f"{OPEN} {_THESE}", long) == 0, 30))


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
    "long-queue": Fault(f"a queue whose name has {len(_LONG)} letters, and SIGKILL to its worker", _long_queue),
    "open-transactions": Fault(
        "open transactions: a client awaits running jobs and has sent into their batch, an operator has cancelled one",
        _open_transactions,
        options={"batch": "shared"},
    ),
    "frozen-claim": Fault(
        "two sessions that do not read the answer to a claim of 800 kB", _frozen_claim, task="limited"
    ),
}
