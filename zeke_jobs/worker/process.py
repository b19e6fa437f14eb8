"""One worker process: its identity, what it holds, and the threads around dramatiq's own, from boot to shutdown."""

from __future__ import annotations

import math
import os
import signal
import socket
from contextlib import closing
from datetime import timedelta
from inspect import getclosurevars
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg2
from dramatiq.middleware import Middleware
from psycopg2.errors import InsufficientPrivilege

import zeke_jobs
from zeke_jobs.config.models import Retry
from zeke_jobs.core.logs import get_logger
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres import installation, migrate
from zeke_jobs.postgres.pool import AddressError, Pool, can_listen, connect, is_away
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.postgres.roles import complaint
from zeke_jobs.revisions import boot
from zeke_jobs.worker.boot import Boot, guarded
from zeke_jobs.worker.claim.capacity import Load
from zeke_jobs.worker.claim.claims import HeldClaims
from zeke_jobs.worker.claim.exclusive import Turns
from zeke_jobs.worker.claim.notifier import Doorbell
from zeke_jobs.worker.claim.slots import Slots
from zeke_jobs.worker.finish.completer import Settler
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Ended, Settled, of_exception
from zeke_jobs.worker.leftovers import end_children
from zeke_jobs.worker.life.heartbeat import Heartbeat
from zeke_jobs.worker.run.executor import Executor
from zeke_jobs.worker.run.interrupts import Cancelled, Interrupt, Interrupts
from zeke_jobs.worker.stop import TO_WRITE, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config, Task
    from zeke_jobs.worker.claim.claims import Claim, JobMessage
    from zeke_jobs.worker.finish.outcome import Outcome
    from zeke_jobs.worker.runtime import Runtime

_SPARE_CONNECTIONS = 4  # claim, settle, heartbeat, progress and leases; handlers' own come on top


class WorkerProcess(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Created with the broker; comes to life when dramatiq boots its worker."""

    def __init__(self, runtime: Runtime, url: str | None) -> None:
        self.id = uuid4()
        self.url = url
        self.runtime = runtime
        self.held = HeldClaims()
        self.turns = Turns(self.held)
        self.interrupts = Interrupts()
        self.pool = Pool(url, max_size=_SPARE_CONNECTIONS, application_name="zeke-jobs worker")
        self.handler_pool = Pool(url, max_size=1, application_name="zeke-jobs handler")
        self.executor = Executor(runtime, self.handler_pool, self.interrupts, self.begin, aside=self.pool)
        self.slots = Slots()
        self.settler = Settler(self.pool, self.held, self.slots, lambda: self.stopping)
        self.queues: tuple[str, ...] = ()
        self.load = Load(0)
        self.declare: Callable[[Task], object] = lambda _task: None  # builder's, which makes actors
        self.alone = False
        self.stopping = False
        self.registrations = 0
        self._counted = count(1)  # two threads may register: neither's number is the other's
        self._boot = Boot(self._try_to_boot, lambda: self.stopping)
        self._stop = Stop(self)
        self._is_command = False  # dramatiq's, and not a worker in a program of somebody's own
        self._start: Callable[[JobMessage], object]  # puts it where dramatiq's threads look
        self.doorbell: Doorbell
        self.heartbeat: Heartbeat
        self._log = get_logger("zeke_jobs.worker")

    # ── what the consumers ask ──

    def room(self) -> int:
        """How many jobs this process would claim now, in a turn of ``turns``."""
        if self.stopping or not self.is_alive():
            return 0
        may_be_ahead = not (self.alone or self.runtime.held_back.is_short_of_threads())
        return self.load.room(may_be_ahead=may_be_ahead)

    def has_free_thread(self) -> bool:
        """Whether a job that this process claimed now would start at once."""
        return not self.alone and self.room() > 0 and self.load.free() > 0

    def tasks(self) -> list[str]:
        """Ids of the tasks that this process serves."""
        return list(self.runtime.tasks)

    def short(self) -> dict[str, int]:
        """Tasks whose jobs may be claimed ahead, and how many of each a thread gets through while one may wait.

        None that may start only once: should this process die, it would not be known which of them had.
        """
        return {task: each for task, each in self.load.short().items() if self.policy(task).limit}

    def policy(self, task: str) -> Retry:
        """The task's retry policy, or the default one for a task that left jobs.yaml."""
        runnable = self.runtime.find(task)
        return runnable.task.retry if runnable else Retry()

    def work_done(self, claim: Claim, follower: Claim | None = None) -> None:
        """A job no longer occupies or waits for a thread; one that follows in its slot does."""
        if self.load.done(claim, follower):
            self.doorbell.ring_all()  # other queues may have waited for a thread
        with self.held.changed:
            self.held.changed.notify_all()

    def is_alive(self) -> bool:
        """Whether others still count this process as alive, as far as it can know."""
        return self._boot.is_done and self.heartbeat.is_fresh()

    def begin(self, claim: Claim) -> Outcome | None:
        """None when the handler may start now; else how the claim ends without it."""
        if not self.heartbeat.holds(claim) and not claim.ended:
            return RETURNED
        return None if self.load.start(claim) else Settled()

    def hand_back(self) -> None:
        """Let others have what waits here for a thread while a job takes long."""
        claims = self.held.all()
        before, is_long = self.load.too_late(claims)
        waiting = self.load.late(claims, before) if is_long else []
        # Who waits so long for a slot waits for one that went to others, be it because the task is paused.
        for claim in (*waiting, *self.slots.late(before)):
            self.settle(claim, RETURNED)
        unmarked = [claim for claim in claims if claim.is_ahead and not claim.marked and not claim.ended]
        if any(claim.started is not None and claim.started < before for claim in unmarked):
            self.heartbeat.watch_soon()  # until the database knows that it has started, it is shown as waiting

    def settle(self, claim: Claim, outcome: Completed | Ended | Settled, *, frees_thread: bool = False) -> None:
        """A claim has ended: who follows in its slot starts, and the settler writes the end if nobody has.

        Args:
            claim: It is held here, and the caller was the first to end it (see ``Load``).
            outcome: How it ended.
            frees_thread: It occupied a thread, or waited for one.
        """
        is_written = isinstance(outcome, Settled)
        gives = not (self.stopping or self.runtime.held_back.is_short_of_threads())
        successor = self.slots.end(claim, is_written=is_written, gives=gives)
        if frees_thread:
            self.work_done(claim, successor and successor.claim)
        elif successor is not None:
            self.load.take(successor.claim)
        if isinstance(outcome, Settled):
            self.settler.written([(claim, Completed())])
            self.give_back(self.slots.stranded())
            self.settler.say_soon()
        else:
            self.settler.put(claim, outcome)
        if successor is not None:
            try:
                self._start(successor)
            except BaseException:  # noqa: BLE001 (whatever it is: the job must not be lost with it)
                self._log.exception("a job could not be started; it is handed back", job_id=str(successor.claim.id))
                for unstarted in self.load.late([successor.claim], math.inf):
                    self.slots.end(unstarted, gives=False)
                    self.settler.put(unstarted, RETURNED)
            if self.slots.is_low(claim.task):
                self.doorbell.ring(successor.queue_name)

    def give_back(self, unstarted: Iterable[Claim]) -> None:
        """Let others have what was claimed ahead and is not to start here."""
        for claim in unstarted:
            self.settler.put(claim, RETURNED)

    # ── dramatiq's hooks ──

    def after_process_boot(self, _broker: object) -> None:
        """Stop claiming the moment SIGTERM comes; dramatiq's main loop looks only once a second."""
        self._is_command = True
        for number in (signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if callable(before) and getclosurevars(before).nonlocals.get("running") is False:
                self.stopping = True  # it came before we could hear it

            def stop(signum: int, frame: Any, before: Any = before) -> Any:
                self.stopping = True
                return before(signum, frame) if callable(before) else None

            signal.signal(number, stop)

    def before_worker_boot(self, broker: Any, worker: Any) -> None:
        """Check the database, put jobs.yaml in force, announce this process, start its threads.

        Ends the process with status 2 when the database's schema or the configuration does not fit.
        """
        self.queues = tuple(sorted(worker.consumer_whitelist or broker.queues))
        self._start = lambda message: worker.work_queue.put((broker.get_actor(message.actor_name).priority, message))
        self.load = Load(worker.worker_threads)
        self.slots.threads = worker.worker_threads
        self.handler_pool.resize(worker.worker_threads)
        self.executor.worker = self.settler.writer.worker = self.id
        guarded(self._prepare)
        self._boot.begin()

    def _prepare(self) -> bool:
        self.heartbeat = Heartbeat(self)
        self.doorbell = Doorbell(self, self.heartbeat.watch_now, self.heartbeat.look_soon)
        return True

    def boot_scheduler(self, conn: Connection) -> int | None:
        """The checks of a start, for a scheduler: before the first beat that reaches the database. Answers its file's revision.

        Raises:
            ConfigurationError, MigrationError: the database or the configuration in force does not fit this code.
        """
        if not self.runtime.revision:
            self._check(conn)
        self.runtime.file_revision = boot.file_revision(conn, self.runtime.file_revision)
        return self.runtime.file_revision

    def _try_to_boot(self) -> bool:
        try:
            with closing(connect(self.url, application_name="zeke-jobs boot")) as conn:
                self._check(conn)
                self.doorbell.listens = can_listen(conn)
                self.register(conn)
        except AddressError as error:
            raise ConfigurationError(str(error)) from error
        except InsufficientPrivilege as error:
            raise ConfigurationError(complaint(error)) from error
        except psycopg2.Error as error:
            if not is_away(error):
                raise
            self._log.warning("waiting for the database", error=str(error).strip())
            return False
        self.settler.start()
        self.heartbeat.start()
        self.doorbell.start()
        self._log.info("ready", revision=self.runtime.revision, queues=list(self.queues))
        return True

    def _check(self, conn: Connection) -> None:
        installation.verify(conn)
        migrate.verify(conn, self.runtime.file.migrations)
        installation.claim(conn)
        state = boot.sync(conn, self.runtime.file)
        self.runtime.file_revision = state.file_revision
        self.put_in_force(state.config, state.revision)
        if not state.is_file:
            self._log.warning(
                "this process's jobs.yaml is an older revision and changes nothing; running by the one in force",
                file_revision=state.file_revision,
                revision=state.revision,
            )

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
            threads=self.load.threads,
            revision=self.runtime.revision,
            file_revision=self.runtime.file_revision,
            lost_after=timedelta(seconds=self.heartbeat.lost_after),
        )
        # The row may be a new one, in which the consumers have said nothing yet.
        self.registrations = next(self._counted)

    def before_worker_shutdown(self, _broker: object, worker: Any) -> None:
        """Claim no more; what was claimed and not started is handed back when dramatiq's threads have ended."""
        self.stopping = True
        self._stop.begin(worker)

    def after_worker_shutdown(self, _broker: object, _worker: object) -> None:
        """Write the last outcomes, hand back what still runs past the time allowed, and leave."""
        self._boot.end()
        self._stop.end(is_command=self._is_command, is_booted=self._boot.is_done)

    def cancel(self, job: UUID, interrupt: Cancelled) -> bool:
        """End a cancelled job before it starts, or stop its handler; False when it is on its way to where it can be found."""
        claim = self.held.find(job)
        if claim is None:
            return False
        if self.load.drop(claim) or self.slots.drop(claim):
            self._log.info("cancelled before it started", task=claim.task, job_id=str(job), reason=str(interrupt))
            self.settle(claim, Ended("cancelled", reason=str(interrupt)))
            return True
        return claim.ended or self.interrupts.stop(job, interrupt)

    def give_up(self, job: UUID, interrupt: Interrupt) -> None:
        """End a job from outside whose handler takes no notice of an interrupt; its late end will change nothing.

        The thread stays lost until the handler returns. When all are lost, the process ends, so that a fresh one can start.
        """
        claim = self.held.find(job)
        if claim is None or not self.load.give_up(claim):
            return
        self._log.error(
            "the handler cannot be interrupted; its job ends without it, its thread is lost until it returns",
            task=claim.task,
            job_id=str(job),
            reason=str(interrupt),
            threads_lost=self.load.lost,
        )
        policy = self.policy(claim.task)
        ended = of_exception(interrupt, policy, retries=claim.attempt - claim.attempt_base)
        self.settle(claim, ended)
        if self.load.lost >= self.load.threads:
            self._log.critical("no thread is left; this process ends")
            self.settler.close(TO_WRITE)
            end_children()
            os._exit(1)
