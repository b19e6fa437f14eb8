"""One worker process: its claims, and how each of them ends. Shared by consumers, threads, heartbeat and stop."""

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
from zeke_jobs.worker.claim.blocked import HeldBack
from zeke_jobs.worker.claim.held_jobs import HeldJobs
from zeke_jobs.worker.claim.notifier import Bells
from zeke_jobs.worker.finish.completer import Settler
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Ended, Settled, of_exception
from zeke_jobs.worker.leftovers import end_children
from zeke_jobs.worker.run.executor import Executor
from zeke_jobs.worker.run.interrupts import Cancelled, Interrupt, Interrupts
from zeke_jobs.worker.run.job_log import JobLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config, Retry, Task
    from zeke_jobs.worker.claim.claims import Claim, JobMessage
    from zeke_jobs.worker.finish.outcome import Outcome
    from zeke_jobs.worker.life.proof import ProofOfLife
    from zeke_jobs.worker.runtime import Runtime

_SPARE_CONNECTIONS = 4  # claim, settle, heartbeat, progress and leases; handlers' own come on top
_LATEST_START = 0.25  # seconds after its claim, as zeke_jobs.take reckons
TO_WRITE = 8.0  # seconds for the last outcomes of a process that ends


class WorkerProcess:
    """``HeldJobs`` owns the claims; this decides how each ends, and wakes the threads that wait for an end.

    Attributes:
        alone: It claims only jobs that must run apart from all others.
        is_booted: Database and configuration are checked, and its row is there.
        registrations: Grows with each row of this process, in which the consumers have said nothing yet.
        start: Puts a job where dramatiq's threads look.
        declare: Makes a task's actor.
    """

    def __init__(self, runtime: Runtime, url: str | None) -> None:
        self.id = uuid4()
        self.url = url
        self.runtime = runtime
        self.held = HeldJobs()
        self.held_back = HeldBack(runtime.uses)
        self.interrupts = Interrupts()
        self.pool = Pool(url, max_size=_SPARE_CONNECTIONS, application_name="zeke-jobs worker")
        self.handler_pool = Pool(url, max_size=1, application_name="zeke-jobs handler")
        self.job_log = JobLog(self.pool)
        self.executor = Executor(
            runtime, self.handler_pool, self.interrupts, self.begin, aside=self.pool, job_log=self.job_log
        )
        self.settler = Settler(self.pool, self.held, lambda: self.stopping)
        self.bells = Bells()
        self.queues: tuple[str, ...] = ()
        self.alone = False
        self.is_booted = False
        self.stopping = False
        self.registrations = 0
        self._counted = count(1)  # two threads may register: neither's number is the other's
        self.proof: ProofOfLife
        self.start: Callable[[JobMessage], object]
        self.declare: Callable[[Task], object] = lambda _task: None
        self._log = get_logger("zeke_jobs.worker")

    # ── what the consumers ask ──

    def room(self) -> int:
        """How many jobs this process would claim now."""
        if self.stopping or not self.is_alive():
            return 0
        return self.held.room(may_be_ahead=not (self.alone or self.held_back.is_short_of_threads()))

    def tasks(self) -> list[str]:
        """Ids of the tasks that this process serves."""
        return list(self.runtime.tasks)

    def short(self) -> dict[str, int]:
        """Tasks whose jobs may be claimed ahead, and how many of each a thread gets through while one may wait.

        None that may start only once: should this process die, it would not be known which of them had.
        """
        return {task: each for task, each in self.held.short().items() if self.runtime.policy(task).limit}

    def policy(self, claim: Claim) -> Retry:
        """How the job is retried."""
        return self.runtime.policy(claim.task, claim.retry)

    def is_alive(self) -> bool:
        """Whether others still count this process as alive, as far as it can know."""
        return self.is_booted and self.proof.is_fresh()

    # ── how claims end ──

    def begin(self, claim: Claim) -> Outcome | None:
        """None when the handler may start now; else how the claim ends without it."""
        if not self.proof.holds(claim) and not claim.ended:
            return RETURNED
        if claim.task in self.runtime.quick and time.monotonic() - claim.received > _LATEST_START and not claim.ended:
            return RETURNED  # frozen in between: its rate has not reckoned with a start so late
        return None if self.held.start(claim) else Settled()

    def settle(self, claim: Claim, outcome: Outcome, *, unstarted: bool = False, gives_up: bool = False) -> bool:
        """A claim has ended: the next job starts in its slot, and the settler writes the end unless it is written.

        Args:
            claim: It was held here.
            outcome: How it ended.
            unstarted: It ends before its start, and not at all once it has started.
            gives_up: Its handler goes on, and keeps its thread.

        Returns:
            False where it had ended before, or does not end: the outcome counts for nothing.
        """
        is_written = isinstance(outcome, Settled)
        gives = not (self.stopping or self.held_back.is_short_of_threads())
        if gives_up:
            end = self.held.give_up(claim, gives=gives)
        else:
            end = self.held.end(claim, unstarted=unstarted, is_written=is_written, gives=gives)
        if end.frees:
            self.bells.ring_all()  # other queues may have waited for a thread
        if not end.is_first:
            return False
        if isinstance(outcome, Settled):
            self.settler.written([(claim, Completed())])
            self.give_back(self.held.stranded())
            self.settler.say_soon()
        else:
            self.settler.put(claim, outcome)
        if end.successor is not None:
            self._follow(end.successor)
        return True

    def _follow(self, successor: JobMessage) -> None:
        try:
            self.start(successor)
        except BaseException:  # noqa: BLE001 (whatever it is: the job must not be lost with it)
            self._log.exception("a job could not be started; it is handed back", job_id=str(successor.claim.id))
            if self.held.end(successor.claim, unstarted=True, gives=False).is_first:
                self.settler.put(successor.claim, RETURNED)
        if self.held.is_low(successor.claim.task):
            self.bells.ring(successor.queue_name)

    def mark_started(self, conn: Connection, claims: list[Claim]) -> None:
        """Tell the database that these handlers have started."""
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

    def give_back(self, unstarted: Iterable[Claim]) -> None:
        """Give jobs back that waited here for a slot and have not started."""
        for claim in unstarted:
            self.settler.put(claim, RETURNED)

    def hand_back(self) -> bool:
        """Give jobs back that wait here for a thread while another job takes long.

        Returns:
            Whether one that was claimed ahead runs for so long that the database should know: it is shown as waiting.
        """
        late, before = self.held.late()
        # A job that waits longer than this will get no slot here: another process has it, or the task is paused.
        self.give_back(self.held.late_for_slots(before))
        for claim in late:
            self.settle(claim, RETURNED, unstarted=True)
        unmarked = [claim for claim in self.held.all() if claim.is_ahead and not claim.marked and not claim.ended]
        return any(claim.started is not None and claim.started < before for claim in unmarked)

    def lose(self) -> None:
        """Others took this process for dead, and have its jobs and slots."""
        self.give_back(self.held.lose_slots())
        self.settler.say_soon()

    def cancel(self, job: UUID, interrupt: Cancelled) -> bool:
        """End a cancelled job before it starts, or stop its handler; False when it is on its way to where it can be found."""
        claim = self.held.find(job)
        if claim is None:
            return False
        if self.settle(claim, Ended("cancelled", reason=str(interrupt)), unstarted=True):
            self._log.info("cancelled before it started", task=claim.task, job_id=str(job), reason=str(interrupt))
            return True
        return claim.ended or self.interrupts.stop(job, interrupt)

    def give_up(self, job: UUID, interrupt: Interrupt) -> None:
        """End a job from outside whose handler takes no notice of an interrupt; its late end will change nothing.

        The thread stays lost until the handler returns. When all are lost, the process ends, so that a fresh one can start.
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
            self.settler.close(TO_WRITE)
            end_children()
            os._exit(1)

    # ── what it runs by ──

    def put_in_force(self, config: Config, revision: int) -> None:
        """Run by another configuration from the next job on."""
        for task in config.tasks.values():
            # Dramatiq refuses a message without an actor, so it comes before the first claim.
            if task.queue in self.queues:
                self.declare(task)
        self.runtime.put_in_force(config, revision)
        self.settler.writer.revision = revision

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
        # The row may be a new one, in which the consumers have said nothing yet.
        self.registrations = next(self._counted)
