"""A thread sends jobs of each kind at a fixed rate, and records the acknowledged jobs."""

import random
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

import zeke_jobs
from zeke_jobs.client.options import new_id
from zeke_jobs.postgres.pool import DISCONNECTED, connect

GROUPS = ("a", "b", "c", "d", "e")  # The groups are keys of the keyed task.
_TICK = 0.05  # The sender sends every _TICK seconds.
_LONGEST = 0.5  # After a pause the sender makes up for at most _LONGEST seconds, so an outage ends without a burst.
_PATIENCE = 0.2  # After a failure, jobs are sent again after _PATIENCE seconds.

Kinds = Mapping[str, tuple[dict[str, Any], float]]
#: Each task has the work of one job, and the jobs sent per second. Together the jobs occupy about 13 of 16 threads, so
#: a fleet that has lost more than a fifth of its capacity falls behind.
MIXED: Kinds = {
    "fast": ({"seconds": 0.05, "plain": True}, 10.0),
    "slow": ({"seconds": 1.5}, 5.0),
    "limited": ({"seconds": 0.2}, 8.0),
    "keyed": ({"seconds": 0.2}, 7.0),
    "pool-a": ({"seconds": 0.15, "plain": True}, 6.0),
    "pool-b": ({"seconds": 0.15}, 6.0),
    "chained": ({"seconds": 0.05, "child": True}, 5.0),
    "failing": ({"seconds": 0.05, "fails": 1}, 4.0),
}
TASKS = """\
version: 1
limits: {pool: {concurrency: 4}}
defaults: {retry: {limit: 20, delay: 50ms, max_delay: 1s}, timeout: 2m}
tasks:
  fast: {H}
  slow: {H}
  limited: {H, concurrency: 3}
  keyed: {H, concurrency: {per_key: 1}}
  pool-a: {H, uses: [pool]}
  pool-b: {H, uses: [pool], priority: 1}
  chained: {H}
  link: {H}
  failing: {H}
  rated: {H, rate: 6/s, priority: 1}
  tick: {H, cron: {at: "* * * * *", missed: all}}
""".replace("{H", "{handler: 'tests.lab.handlers:work'")
SHARED = {"pool-a": "pool", "pool-b": "pool"}
LIMITS = {"limited": 3, "pool": 4, **{f"keyed/{group}": 1 for group in GROUPS}}


class Traffic:
    """A thread sends jobs; ``ledger`` has the ids of the jobs for which ``send`` returned.

    If the connection fails during ``send``, the job is sent again with the same id, as the docs recommend.
    """

    def __init__(self, url: str, kinds: Kinds) -> None:
        self.ledger: set[str] = set()
        self._url, self._kinds = url, kinds
        self._chance = random.Random(1)
        self._credit = dict.fromkeys(kinds, 0.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")

    def start(self) -> None:
        self._last = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(120)

    def send(self, task: str, payload: dict[str, Any], **options: Any) -> str:
        with closing(connect(self._url)) as conn:
            return self._send(conn, task, payload, new_id(), **options)

    def _run(self) -> None:
        due: list[tuple[str, dict[str, Any], UUID]] = []  # A job leaves the list once ``send`` has returned.
        while due or not self._stopping.is_set():
            with suppress(*DISCONNECTED), closing(connect(self._url)) as conn:
                while due or not self._stopping.wait(_TICK):
                    due = due or self._due()
                    while due:
                        self._send(conn, *due[0])
                        del due[0]
            self._stopping.wait(_PATIENCE)

    def _due(self) -> list[tuple[str, dict[str, Any], UUID]]:
        now = time.monotonic()
        passed, self._last = min(now - self._last, _LONGEST), now
        due = []
        for task, (payload, rate) in self._kinds.items():
            count, self._credit[task] = divmod(self._credit[task] + passed * rate, 1.0)
            for _ in range(int(count)):
                group = {"group": self._chance.choice(GROUPS)} if task == "keyed" else {}
                due.append((task, {**payload, **group}, new_id()))
        return due

    def _send(self, conn: Connection, task: str, payload: dict[str, Any], job: UUID, **options: Any) -> str:
        zeke_jobs.send(task, payload, id=job, key=payload.get("group"), connection=conn, **options)
        self.ledger.add(str(job))
        return str(job)
