"""One thread and eight threads send without workers, in zeke_jobs and in the systems that its users know."""

import os
from threading import local
from typing import Any

import psycopg2

import zeke_jobs
from tests.lab.bench import ours, result, threads
from tests.lab.bench.bench import Bench
from tests.lab.bench.measures.drains import peers
from tests.lab.bench.result import Row

_LEAST = {("dramatiq_pg", 1): 1.4, ("pgqueuer", 1): 1.0, ("dramatiq_pg", 8): 1.4, ("pgqueuer", 8): 1.2}


class _Ours:
    def __init__(self, installation: ours.Installation) -> None:
        self.url = installation.url

    def send_rate(self, seconds: float, at_once: int) -> float:
        os.environ["DATABASE_URL"] = self.url
        return threads.rate(lambda n: zeke_jobs.send(ours.FREE, {"n": n}), at_once, seconds)


class _Bare:
    """A prepared INSERT of a job's row shows the limit of table, driver and disk for any sender."""

    def __init__(self, url: str) -> None:
        self.url = url

    def send_rate(self, seconds: float, at_once: int) -> float:
        held = local()

        def send(n: int) -> None:
            if not hasattr(held, "cursor"):
                conn = psycopg2.connect(self.url)
                conn.autocommit = True
                held.cursor = conn.cursor()
                held.cursor.execute(_PREPARE)
            held.cursor.execute("EXECUTE bare (%s, %s)", (n, ours.FREE))

        return threads.rate(send, at_once, seconds)


_PREPARE = """
  PREPARE bare (integer, text) AS
  INSERT INTO zeke_jobs.queue (message_id, queue_name, message, task, priority, run_at, created_on, revision)
  SELECT id, 'default', jsonb_build_object('queue_name', 'default', 'actor_name', $2, 'args', '[]'::jsonb,
    'kwargs', jsonb_build_object('n', $1), 'options', '{}'::jsonb, 'message_id', id, 'message_timestamp', 1700000000000), $2, 0, now(), now(), 1
  FROM (SELECT gen_random_uuid() AS id) AS new"""


def measure(bench: Bench) -> list[Row]:
    """Measure sends, each of which is durable before the thread's next send.

    The systems run in short turns, because the disk's flush time matters much and changes from second to second.
    """
    installation = bench.installation("sends", {ours.FREE: {}})
    systems: dict[str, Any] = {ours.NAME: _Ours(installation), "a bare INSERT": _Bare(installation.url)}
    systems |= {name: module.System(bench.database(f"{name}_sends")) for name, module in peers(bench).items()}
    figures: dict[tuple[str, int], list[float]] = {}
    for _ in range(bench.rounds * 4):
        for count in (1, 8):
            for name, system in systems.items():
                figures.setdefault((name, count), []).append(system.send_rate(bench.seconds / 5, count))
    for url in {system.url for system in systems.values()}:
        bench.server.drop(url)
    rows = []
    for (name, count), rates in figures.items():
        rows.append(result.middle(f"{name}, {count} thread{'s' * (count > 1)}", rates))
        if name != ours.NAME:
            mine, what = figures[ours.NAME, count], f"{ours.NAME} / {name}, {count} thread{'s' * (count > 1)}"
            rows.append(result.middle(what, mine, rates, against=name, least=_LEAST.get((name, count))))
    return rows
