"""Rows that no worker can read: refused at every door under load, and planted past all checks."""

from __future__ import annotations

import itertools
import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2

import zeke_jobs
from tests.lab.chaos.world import world
from tests.zeke_jobs.planted import FAR, UNREADABLE, plant
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.chaos.outcome import Outcome

_BY_SQL = [
    ('{"seconds": 1e4400}', "{}"),
    (f'{{"seconds": {"7" * 5000}}}', "{}"),
    (f'{{"group": {"[" * 1500}{"]" * 1500}}}', "{}"),
    ("{}", '{"scheduled_for": "0044-03-15 BC"}'),
    ("{}", '{"run_at": "9999-12-31 23:59:59-05"}'),
    ("{}", '{"expires": "infinity"}'),
    ("{}", '{"traceparent": 1e4400}'),
]
_MESSAGES: list[dict[str, Any]] = [
    {"args": 5},
    {"kwargs": [1]},
    {"message_timestamp": "yesterday"},
    {"options": {"eta": 1e300}},
]
_INSERT = "INSERT INTO zeke_jobs.queue (message_id, queue_name, message) VALUES (gen_random_uuid(), 'default', %s)"
_ALONE = """
  SELECT count(*) FROM zeke_jobs.queue WHERE message_id::text = ANY (%s) AND state = 'rejected' AND jsonb_array_length(attempts) = 1
    AND attempts #>> '{0,error,message}' LIKE 'expected a row that a worker can read%%'"""
_HONEST = "SELECT count(*) FROM zeke_jobs.queue WHERE state = 'rejected' AND NOT message_id::text = ANY (%s)"


def unreadable(*, quick: bool) -> Outcome:
    """All the while somebody sends what nobody can read, and somebody else plants it past the checks."""
    seconds = 6 if quick else 20
    with world("unreadable-rows", quick=quick) as here, closing(connect(here.url)) as conn:
        workers = [here.worker("one"), here.worker("two")]
        here.flow()
        here.measure("before")
        far = [str(plant(conn, "fast", **FAR)) for _ in range(3)]
        planted, refused, tried = [], 0, 0
        begin = time.monotonic()
        with here.phase("during"):
            # A task has each tick once.
            again = itertools.cycle([one for one in UNREADABLE if "scheduled_for" not in one[0]])
            for number, (how, _) in enumerate(itertools.chain(UNREADABLE, again)):
                if time.monotonic() > begin + seconds:
                    break
                planted.append(str(plant(conn, "fast", **how)))
                tried, refused = tried + 3, refused + _refused(conn, number)
                time.sleep(0.05)
        over = time.time()
        here.measure("after")
        # Afterwards: twenty commands that start take the processors that the rate is made with.
        looked = {name: here.zeke(*name.split(), fine=False).returncode for name in _looks(planted, far)}
        here.execute("DELETE FROM zeke_jobs.queue WHERE run_at > '9000-01-01'")
        here.drain()
        here.promise(f"all of {tried} sends refused", refused == tried)
        here.promise("each planted row fails alone, with its reason", here.look(_ALONE, planted) == len(planted))
        here.promise("no other job fails", here.look(_HONEST, planted) == 0)
        here.promise("no consumer crashes", not here.said("Consumer encountered an unexpected error"))
        here.promise("status, jobs, why, top, metrics work", {*looked.values()} == {0})
        here.promise("no command line ended", all(kept.starts == 1 for kept in workers))
        return here.outcome(
            f"{len(planted)} rows that nobody can read planted past all checks, {tried} sent, in {seconds} s",
            fault_over=over,
            recovers_in=5,
        )


def _looks(planted: list[str], far: list[str]) -> list[str]:
    some = [*planted[:20:6], far[0]]
    return [
        "jobs",
        "jobs --json",
        "top --once",
        "metrics",
        *(f"{how} {job}" for job in some for how in ("status", "why")),
    ]


def _refused(conn: Connection, number: int) -> int:
    """How many of three sends are refused: by SQL, by a stock producer, by Python."""
    payload, options = _BY_SQL[number % len(_BY_SQL)]
    message = {"actor_name": "fast", "kwargs": {}, **_MESSAGES[number % len(_MESSAGES)]}
    deep: list[Any] = []
    for _ in range(986):
        deep = [deep]
    count = 0
    with conn.cursor() as cursor:
        for sql, given in (
            ("SELECT zeke_jobs.send('fast', %s, %s)", (payload, options)),
            (_INSERT, (json.dumps(message),)),
        ):
            try:
                cursor.execute(sql, given)
            except psycopg2.DataError:
                count += 1
    try:
        zeke_jobs.send("fast", {"group": deep}, connection=conn)
    except zeke_jobs.errors.InvalidPayload:
        count += 1
    return count
