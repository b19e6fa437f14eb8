"""One worker process: its claims and their ends. Consumers, worker threads, heartbeat and stop share it."""

from __future__ import annotations

import os
import socket
import time
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

import zeke_jobs
from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import Pool
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.blocked import BlockedTasks
from zeke_jobs.worker.claim.held_jobs import HeldJobs
from zeke_jobs.worker.claim.notifier import WakeUps
from zeke_jobs.worker.finish.completer import Completer
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Ended, Settled, of_exception
from zeke_jobs.worker.leftovers import end_children
from zeke_jobs.worker.run import job_log
from zeke_jobs.worker.run.executor import Executor
from zeke_jobs.worker.run.interrupts import Cancelled, Interrupt, Interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config, Retry, Task
    from zeke_jobs.worker.claim.claims import Claim, JobMessage
    from zeke_jobs.worker.finish.outcome import Outcome
    from zeke_jobs.worker.life.proof import ProofOfLife
    from zeke_jobs.worker.runtime import Runtime

_SPARE_CONNECTIONS = 4  # for claims, completer, heartbeat, and progress with leases; the handlers' own come on top
_LATEST_START = 0.25  # seconds after the claim, for tasks with quick rates; zeke_jobs.take assumes the same limit
TO_WRITE = 8.0  # seconds for the last outcomes at the end of the process


class WorkerProcess:
    """``HeldJobs`` owns the claims; this class decides their ends, and wakes the threads that wait for an end.

    Attributes:
        alone: It claims only jobs that must run apart from all others.
        is_booted: Database and configuration are checked, and the process's row is written.
        registrations: Number of the process's current row; it grows with each new row, in which consumers must report again.
        start: Puts a job into dramatiq's queue for its threads.
        declare: Makes a task's actor.
    """

    def __init__(self, runtime: Runtime, url: str | None) -> None:
        self.id = uuid4()
        self.url = url
        self.runtime = runtime
        self.held = HeldJobs()
        self.blocked = BlockedTasks(runtime.frees)
        self.interrupts = Interrupts()
        self.pool = Pool(url, max_size=_SPARE_CONNECTIONS, application_name="zeke-jobs worker")
        self.handler_pool = Pool(url, max_size=1, application_name="zeke-jobs handler")
        self.executor = Executor(runtime, self.handler_pool, self.interrupts, self.begin, statement_pool=self.pool)
        self.completer = Completer(self.pool, self.held, lambda: self.stopping)
        self.wake_ups = WakeUps()
        self.queues: tuple[str, ...] = ()
        self.alone = False
        self.is_booted = False
        self.stopping = False
        self.registrations = 0
        self._counted = count(1)  # two threads may register, and each needs its own number
        self.proof: ProofOfLife
        self.start: Callable[[JobMessage], object]
        self.declare: Callable[[Task], object] = lambda _task: None
        self._log = get_logger("zeke_jobs.worker")

    # ── answers for the consumers ──

    def room(self) -> int:
        """Number of jobs that this process would claim now."""
        if self.stopping or not self.is_alive():
            return 0
        return self.held.room(may_be_ahead=not (self.alone or self.blocked.long_jobs_wait()))

    def tasks(self) -> list[str]:
        """Ids of this process's tasks."""
        return list(self.runtime.tasks)

    def short_tasks(self) -> dict[str, int]:
        """Tasks whose jobs may be claimed ahead, with the number that a thread finishes in the time that a claimed job may wait.

        Leaves out tasks whose jobs may start only once: if this process died, nobody would know which of them had started.
        """
        return {task: each for task, each in self.held.short_tasks().items() if self.runtime.policy(task).limit}

    def policy(self, claim: Claim) -> Retry:
        """The retry policy of the job."""
        return self.runtime.policy(claim.task, claim.retry)

    def is_alive(self) -> bool:
        """Whether others, as far as this process can know, still count it as alive."""
        return self.is_booted and self.proof.is_fresh()

    # ── ends of claims ──

    def begin(self, claim: Claim) -> Outcome | None:
        """Record that the handler starts, and return None; or return the outcome with which the claim ends instead."""
        if not self.proof.holds(claim) and not claim.ended:
            return RETURNED
        if claim.task in self.runtime.quick and time.monotonic() - claim.received > _LATEST_START and not claim.ended:
            return RETURNED  # the process was frozen meanwhile, and the rate counts on an earlier start
        return None if self.held.start(claim) else Settled()

    def settle(self, claim: Claim, outcome: Outcome, *, unstarted: bool = False, gives_up: bool = False) -> bool:
        """End a claim: the next job starts in its slot, and the completer writes the end unless the database has it.

        Args:
            claim: A claim held here.
            outcome: Its end.
            unstarted: End it only if it has not started.
            gives_up: Its handler goes on and keeps its thread.

        Returns:
            False when the claim had ended before, or does not end; the outcome is then ignored.
        """
        is_written = isinstance(outcome, Settled)
        hand_on = not (self.stopping or self.blocked.long_jobs_wait())
        if gives_up:
            end = self.held.give_up(claim, hand_on=hand_on)
        else:
            end = self.held.end(claim, unstarted=unstarted, is_written=is_written, hand_on=hand_on)
        if end.frees:
            self.wake_ups.wake_all()  # other queues may have waited for a thread
        if not end.is_first:
            return False
        if job_log.is_to_store(claim, completed=is_written or isinstance(outcome, Completed)):
            self.completer.store_log(claim)
        if isinstance(outcome, Settled):
            self.completer.confirm([(claim, Completed())])
            self.hand_back(self.held.without_slot())
            self.completer.report_soon()
        else:
            self.completer.put(claim, outcome)
        if end.successor is not None:
            self._start_successor(end.successor)
        return True

    def _start_successor(self, successor: JobMessage) -> None:
        try:
            self.start(successor)
        except BaseException:  # noqa: BLE001 (any error: the job must not be lost)
            self._log.exception("a job could not be started; it is handed back", job_id=str(successor.claim.id))
            if self.held.end(successor.claim, unstarted=True, hand_on=False).is_first:
                self.completer.put(successor.claim, RETURNED)
        if self.held.is_low(successor.claim.task):
            self.wake_ups.wake(successor.queue_name)

    def mark_started(self, conn: Connection, claims: list[Claim]) -> None:
        """Record in the database that these handlers have started."""
        if not claims:
            return
        SQL.all(
            conn,
            "job/mark_started",
            worker=self.id,
            ids=[claim.id for claim in claims],
            claims=[claim.number for claim in claims],
            after=[claim.after for claim in claims],
        )
        for claim in claims:
            claim.marked = True

    def hand_back(self, unstarted: Iterable[Claim]) -> None:
        """Return jobs to the queue that wait here for a slot and have not started."""
        for claim in unstarted:
            self.completer.put(claim, RETURNED)

    def hand_back_blocked(self) -> bool:
        """Return jobs to the queue that wait here for a thread behind a long job.

        Returns:
            Whether a job that was claimed ahead has run so long that its start must be recorded: the database still shows it as
            waiting.
        """
        behind, before = self.held.behind_long_job()
        # If a job has waited longer for a slot, another process has the slot or the task is paused: hand the job back.
        self.hand_back(self.held.waiting_for_slot_since(before))
        for claim in behind:
            self.settle(claim, RETURNED, unstarted=True)
        unmarked = [claim for claim in self.held.all() if claim.is_ahead and not claim.marked and not claim.ended]
        return any(claim.started is not None and claim.started < before for claim in unmarked)

    def taken_for_dead(self) -> None:
        """Others took this process for dead and have its jobs and slots."""
        self.hand_back(self.held.lose_slots())
        self.completer.report_soon()

    def cancel(self, job: UUID, interrupt: Cancelled) -> bool:
        """End a cancelled job before it starts, or stop its handler; False when it is between the two and cannot be found."""
        claim = self.held.find(job)
        if claim is None:
            return False
        if self.settle(claim, Ended("cancelled", reason=str(interrupt)), unstarted=True):
            self._log.info("cancelled before it started", task=claim.task, job_id=str(job), reason=str(interrupt))
            return True
        return claim.ended or self.interrupts.stop(job, interrupt)

    def give_up(self, job: UUID, interrupt: Interrupt) -> None:
        """End a job whose handler ignores an interrupt; the handler's late end changes nothing.

        The thread is lost until the handler returns. When all threads are lost, the process ends, so that a new one can start.
        """
        claim = self.held.find(job)
        if claim is None:
            return
        ended = of_exception(interrupt, self.policy(claim), retries=claim.attempt - claim.attempt_base)
        if not self.settle(claim, ended, gives_up=True):
            return
        self._log.error(
            "the handler cannot be interrupted; its job ends without it, its thread is lost until it returns",
            task=claim.task,
            job_id=str(job),
            reason=str(interrupt),
            threads_lost=self.held.lost,
        )
        if self.held.lost >= self.held.threads:
            self._log.critical("no thread is left; this process ends")
            self.completer.close(TO_WRITE)
            end_children()
            os._exit(1)

    # ── its configuration ──

    def put_in_force(self, config: Config, revision: int) -> None:
        """Use another configuration from the next job on."""
        for task in config.tasks.values():
            # Make the actor before the first claim, because dramatiq refuses a message without one.
            if task.queue in self.queues:
                self.declare(task)
        self.runtime.put_in_force(config, revision)
        self.completer.writer.revision = revision

    def register(self, conn: Connection) -> None:
        """Write this process's row, at boot and when others took it for dead."""
        SQL.run(
            conn,
            "worker/register",
            id=self.id,
            kind="worker",
            host=socket.gethostname(),
            pid=os.getpid(),
            version=zeke_jobs.__version__,
            queues=list(self.queues),
            tasks=self.tasks(),
            threads=self.held.threads,
            revision=self.runtime.revision,
            file_revision=self.runtime.file_revision,
            lost_after=timedelta(seconds=self.proof.lost_after),
        )
        # If the row is new, the consumers must report in it again.
        self.registrations = next(self._counted)
