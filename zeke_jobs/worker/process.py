"""Starts and ends jobs in a worker process, and abandons handlers that ignore an interrupt."""

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from uuid import UUID, uuid4

import psycopg2
from psycopg2.extensions import connection as Connection

from zeke_jobs.config.models import Config, Task
from zeke_jobs.core import environment
from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import Pool, is_away
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.claim.claims import Claim, JobMessage, clock
from zeke_jobs.worker.claim.held_jobs import HeldJobs
from zeke_jobs.worker.finish.completer import Completer
from zeke_jobs.worker.finish.outcome import DONE, RETURNED, SETTLED, Outcome, of_exception, of_shutdown
from zeke_jobs.worker.leftovers import end_children
from zeke_jobs.worker.life.proof import ProofOfLife
from zeke_jobs.worker.run.executor import Executor
from zeke_jobs.worker.run.interrupts import Cancelled, Lost
from zeke_jobs.worker.run.reports import Shared
from zeke_jobs.worker.runtime import Runtime

_SPARE_CONNECTIONS = 4  # for claims, completer, heartbeat, and progress with leases; not for handlers
_MARGIN = 0.02  # seconds from the report of a late start to the start
UNDER_WAY = 10.0  # seconds for which the result of a claim may still arrive
TO_WRITE = 8.0  # seconds to write the last outcomes at the end of the process


class WorkerProcess:
    """Connects the parts of a worker process: producer, ``HeldJobs``, executor, completer and heartbeat."""

    def __init__(self, runtime: Runtime, url: str | None) -> None:
        self.id = uuid4()
        self.url = url
        self.runtime = runtime
        self.held = HeldJobs()
        self.loop = runtime.loop
        self.pool = Pool(url, max_size=_SPARE_CONNECTIONS, application_name="zeke-jobs worker")
        self.handler_pool = Pool(url, max_size=1, application_name="zeke-jobs handler")
        shared = Shared(self.id, runtime, self.handler_pool, self.pool)
        self.executor = Executor(shared, self.begin)
        self.completer = Completer(shared, self.held, lambda: self.stopping)
        self.queues: tuple[str, ...] = ()
        self.is_booted = False  # database and configuration are checked, and the process's row is written
        self.stopping = False
        self.stop_begun = threading.Event()  # set when dramatiq stops its threads; ``stopping`` may be true earlier
        self.registrations = 0  # number of writes of its row; after each, the producer asks again to be notified
        self._counted = count(1)  # two threads may register, and each needs another number
        self.proof = ProofOfLife(environment.heartbeat())
        # ``start`` puts a job into the queue of dramatiq's threads, or starts it on the event loop.
        self.start: Callable[[JobMessage], object]
        self.declare: Callable[[Task], object] = lambda _task: None  # makes the actor of a task
        self._log = get_logger("zeke_jobs.worker")

    # ── its claims ──

    def is_alive(self) -> bool:
        """Return whether this process has booted, and sent a heartbeat so recently that it does not count as lost."""
        return self.is_booted and self.proof.is_fresh()

    def begin(self, claim: Claim) -> Outcome | None:
        """Record that the handler starts, and return None. If the handler may not start, return the outcome of the claim."""
        if not self.proof.holds(claim) and not claim.ended:
            return RETURNED
        try:
            if not self._may_start(claim):
                return RETURNED
        except psycopg2.Error as error:
            if not is_away(error):
                raise
            return RETURNED
        return None if self.held.start(claim) else SETTLED

    def _may_start(self, claim: Claim) -> bool:
        """If the job starts late, delay the next jobs of its rate limits. Returns False if it may no longer start."""
        margin = _MARGIN
        while claim.on_time is not None and (now := clock()) - claim.asked > claim.on_time:
            with self.pool.connection() as conn:
                if not SQL.value(conn, "job/started_late", job=claim.id, margin=margin):
                    return False
            if (took := clock() - now) < margin:
                break
            margin = 2 * took
        return True

    def settle(self, claim: Claim, outcome: Outcome, *, unstarted: bool = False, gives_up: bool = False) -> bool:
        """End a claim. ``self.completer`` writes the outcome to the database, unless it is ``SETTLED``.

        If ``unstarted``, end only a claim whose job has not started. Set ``gives_up`` if the handler cannot be stopped,
        and keeps its thread. Returns False if the claim had already ended or must not end; the outcome is then ignored.
        """
        if not (self.held.give_up(claim) if gives_up else self.held.end(claim, unstarted=unstarted)):
            return False
        if (log := claim.log) and log.count and (log.always or outcome.how not in DONE):
            self.completer.store_log(claim)
        if outcome is SETTLED:
            self.completer.confirm([(claim, Outcome("completed"))])
        else:
            self.completer.put(claim, outcome)
        return True

    def mark_started(self, conn: Connection, longer_than: float) -> None:
        """Record which handlers have run longer than ``longer_than`` seconds. A shorter run is recorded at its end."""
        before = time.monotonic() - longer_than
        running = [one for one in self.held.all() if one.started is not None and one.started < before]
        if claims := [one for one in running if not (one.marked or one.ended)]:
            ids, numbers, after = ([getattr(one, name) for one in claims] for name in ("id", "number", "after"))
            SQL.all(conn, "job/mark_started", worker=self.id, ids=ids, claims=numbers, after=after)
        for claim in claims:
            claim.marked = True

    def tick(self) -> None:
        """Stop handlers after their timeout. Put jobs that have waited too long for a thread back into the queue."""
        running = {claim.running: claim for claim in self.held.all() if claim.running is not None}
        for one, claim in running.items():  # the claims of a chunk run together
            if one.tick():
                self.give_up(claim)
        for claim in self.held.behind_long_job():
            self.settle(claim, RETURNED, unstarted=True)

    def disown(self, conn: Connection, *, older: float | None = None) -> None:
        """Put back into the queue jobs claimed at least ``older`` seconds ago that never reached this process."""
        known, older = self.held.all(), UNDER_WAY if older is None else older
        ids, claims = [claim.id for claim in known], [claim.number for claim in known]
        for row in SQL.all(conn, "job/disown", worker=self.id, held=ids, claims=claims, older=older):
            job = {"task": row["task"], "job_id": str(row["message_id"])}
            self._log.warning("returned: its claim was lost on the way", **job)

    def cancel(self, job: UUID, interrupt: Cancelled) -> bool:
        """End a cancelled job before it starts, or stop its handler. Returns False if the handler is just starting."""
        claim = self.held.find(job)
        if claim is None:
            return False
        if self.settle(claim, Outcome("cancelled", reason=str(interrupt)), unstarted=True):
            self._log.info("cancelled before it started", task=claim.task, job_id=str(job), reason=str(interrupt))
            return True
        claim.cancelled = True
        running = next((one.running for one in claim.together if one.running), None)
        if running and all(one.cancelled or one.ended for one in claim.together):  # the other jobs of a chunk go on
            running.stop(interrupt)
        return claim.ended or running is not None

    def give_up(self, claim: Claim) -> None:
        """End a job whose handler ignores an interrupt. No job can use the handler's thread until the handler returns.

        If all threads are lost, or the event loop is blocked, the process ends, so that a new process can start.
        """
        assert claim.running is not None
        assert claim.running.interrupt is not None
        interrupt, is_first = claim.running.interrupt, False
        for one in claim.together:
            ended = of_exception(interrupt, self.runtime.policy(one), retries=one.retries)
            is_first |= self.settle(one, ended, gives_up=one is claim) and one is claim
        if not is_first:
            return
        event = (
            "the handler cannot be interrupted; its job ends without it, its thread or place is lost until it returns"
        )
        job = {"task": claim.task, "job_id": str(claim.id), "reason": str(interrupt)}
        self._log.error(event, threads_lost=self.held.lost, **job)
        if self.loop.is_blocked if claim.is_async else self.held.lost >= self.held.threads:
            self._log.critical("no thread is left, or the event loop is blocked; this process ends")
            self.end_jobs()
            end_children()
            os._exit(1)

    def end_jobs(self) -> None:
        """End all jobs of this process at once, without waiting for the handlers, and write their outcomes."""
        for claim in self.held.all():
            outcome = of_shutdown(self.runtime.policy(claim))
            if self.settle(claim, outcome, gives_up=True):
                self._log.warning(str(outcome.reason), task=claim.task, job_id=str(claim.id), outcome=outcome.how)
                if claim.is_async and claim.running:  # a thread ends with the process; a coroutine can clean up
                    claim.running.stop(Lost(str(outcome.reason)))
            else:
                self.settle(claim, RETURNED, unstarted=True)
        self.completer.close(TO_WRITE)

    # ── its configuration ──

    def use(self, config: Config, revision: int) -> None:
        """Use another configuration from the next job on."""
        for task in config.tasks.values():
            if task.queue in self.queues:
                self.declare(task)  # declare it before a claim, because dramatiq refuses a message without an actor
        self.runtime.use(config, revision)

    def register(self, conn: Connection) -> None:
        """Write this process's row in the table of workers: at boot, and again if other processes counted it as lost."""
        runtime, lost_after = self.runtime, timedelta(seconds=self.proof.lost_after)
        serves = {"queues": list(self.queues), "tasks": runtime.ids[None], "threads": self.held.threads}
        by = {"revision": runtime.revision, "file_revision": runtime.file_revision, "lost_after": lost_after}
        beat.register(conn, self.id, "worker", **serves, **by)
        SQL.run(conn, "worker/places", worker=self.id, places=self.held.places, tasks=runtime.ids[True])
        self.registrations = next(self._counted)  # in the new row, the producer must ask again to be notified
