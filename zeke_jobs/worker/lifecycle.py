"""Starts a worker process in dramatiq's hooks, and ends the process in a bounded time even if a part of it hangs."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from inspect import getclosurevars
from typing import Any

import psycopg2
from dramatiq.middleware import Middleware
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import connection as Connection

from zeke_jobs.core import environment, probes
from zeke_jobs.core.logs import get_logger, refuse
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import ConfigurationError, Contended, MigrationError
from zeke_jobs.postgres import installation, migrate
from zeke_jobs.postgres.pool import AddressError, can_listen, connect, is_away
from zeke_jobs.postgres.roles import WORKER, complaint
from zeke_jobs.revisions import applying
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.claim.notifier import Notifier
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.leftovers import end_children, end_within
from zeke_jobs.worker.life.heartbeat import Heartbeat, faults
from zeke_jobs.worker.run.event_loop import HELPERS, Coroutines

_AGAIN = 1.0  # seconds between attempts to reach the database
_WARN_EACH = 10.0  # seconds between warnings
_PATIENCE = 2.0  # seconds that dramatiq waits for a boot; until then, log lines and signals do not work
_TICK = 0.05
_LAST_MOMENT = 1.0  # seconds that a stop waits for a running boot
_TO_LOOK = 2.0  # maximum number of seconds for the last claim
_CLOSE_WITHIN = 15.0  # seconds; the maximum time of a stop after the time for running jobs is over
_IDLE = 200  # milliseconds after which an idle thread of dramatiq checks for a stop; a stop waits for this check


class Lifecycle(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Starts the worker process when dramatiq boots its worker, not when the broker is created.

    The boot runs in a thread: until ``before_worker_boot`` returns, dramatiq's main process handles no signals or logs.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._process = producer.process
        self._boot = threading.Thread(target=self._boot_until_done, name="boot", daemon=True)
        self._is_away = False  # whether the database was unreachable at the last attempt
        self._goes_on = False  # whether dramatiq no longer waits for the boot
        self._refusal: SystemExit | None = None
        self._is_command = False  # True in dramatiq's own process, False in another program
        self._warn_on = 0.0  # monotonic seconds of the next warning
        self.notifier: Notifier
        self.heartbeat: Heartbeat
        self._log = get_logger("zeke_jobs.worker")

    def after_process_boot(self, _broker: object) -> None:
        """Set signal handlers that stop claims at once, because dramatiq checks for signals only once a second."""
        self._is_command = True
        for number in (signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if callable(before) and getclosurevars(before).nonlocals.get("running") is False:
                self._process.stopping = True  # SIGTERM came before this signal handler was set

            def stop_claiming(signum: int, frame: Any, before: Any = before) -> Any:
                self._process.stopping = True
                return before(signum, frame) if callable(before) else None

            signal.signal(number, stop_claiming)

    def before_worker_boot(self, broker: Any, worker: Any) -> None:
        """Boot in a thread, and wait for it at most two seconds. Exits with 2 if schema or configuration do not fit."""
        process = self._process
        process.queues = tuple(sorted(worker.consumer_whitelist or broker.queues))
        for name in set(process.queues) - set(broker.queues):
            help_ = suggest(name, sorted(broker.queues), what="queues")
            self._log.warning(f"no task of jobs.yaml has the queue {quote(name)}; {help_}")
        worker.worker_timeout = min(worker.worker_timeout, _IDLE)
        coroutines = Coroutines(worker, process.executor.steps, process.loop)
        process.start = lambda message: (
            coroutines.start(message)
            if message.claim.is_async
            else worker.consumers[message.queue_name].handle_message(message)
        )
        process.held.threads, process.held.places = worker.worker_threads, environment.async_places()
        process.handler_pool.resize(worker.worker_threads + HELPERS)
        self._boot.start()
        end = time.monotonic() + _PATIENCE
        while self._boot.is_alive() and not (self._is_away or process.stopping or time.monotonic() > end):
            self._boot.join(_TICK)
        self._goes_on = True
        if self._refusal is not None:
            raise self._refusal

    def boot_scheduler(self, conn: Connection) -> int | None:
        """Check the database when first reached. Returns the newest revision with the scheduler's jobs.yaml, if any."""
        if not self._process.runtime.revision:
            self._check(conn)
        self._process.runtime.file_revision = applying.file_revision(conn, self._process.runtime.file_revision)
        return self._process.runtime.file_revision

    def _boot_until_done(self) -> None:
        try:
            self._boot_or_exit()
        except SystemExit as refusal:
            self._refusal = refusal
            if self._goes_on:  # dramatiq then stops its threads and calls ``after_worker_shutdown``
                os.kill(os.getpid(), signal.SIGTERM)

    def _boot_or_exit(self) -> None:
        """Boot the process. Exits with status 2 for a wrong configuration, and with 3 for a fault in zeke_jobs."""
        try:
            self.heartbeat = Heartbeat(self._producer)
            probes.answer("worker", lambda: faults(self._producer, self.heartbeat))
            self.notifier = Notifier(self._producer, self.heartbeat)
            while not (self._process.stopping or self._try_to_boot()):
                self._is_away = True
                time.sleep(_AGAIN)
        except (ConfigurationError, MigrationError) as error:
            refuse(error)
        except Exception:  # noqa: BLE001 (the fault is logged, and the process ends)
            self._log.exception("could not start; please report this")
            sys.exit(3)

    def _try_to_boot(self) -> bool:
        """Try to boot. Returns False if the database is unreachable."""
        try:
            with closing(connect(self._process.url, application_name="zeke-jobs boot")) as conn:
                self._check(conn)
                self._producer.notifications_arrive = can_listen(conn)
                if self._process.stopping:
                    return False  # nothing would end threads that start now
                self._process.register(conn)
        except AddressError as error:
            raise ConfigurationError(str(error)) from error
        except InsufficientPrivilege as error:
            raise ConfigurationError(complaint(error, WORKER)) from error
        except (psycopg2.Error, Contended) as error:
            if not isinstance(error, Contended) and not is_away(error):
                raise
            if (now := time.monotonic()) >= self._warn_on:
                self._log.warning("waiting for the database", error=str(error).strip())
                self._warn_on = now + _WARN_EACH
            return False
        self._process.completer.thread.start()
        self.heartbeat.thread.start()
        self._process.is_booted = True
        self._producer.start()
        self.notifier.start()
        in_force, queues = self._process.runtime.revision, list(self._process.queues)
        self._log.info("Worker process is ready for action", revision=in_force, queues=queues)
        return True

    def _check(self, conn: Connection) -> None:
        runtime = self._process.runtime
        installation.verify(conn)
        migrate.verify(conn, runtime.file.migrations)
        installation.claim(conn)
        state = applying.sync(conn, runtime.file)
        runtime.file_revision = state.file_revision
        self._process.use(state.config, state.revision)
        if not state.is_file:
            what = "an older revision" if state.file_revision else "not applied"
            event = f"this process's jobs.yaml is {what} and changes nothing, unless zeke-jobs apply puts it in force"
            self._log.warning(event, file_revision=state.file_revision, revision=state.revision)

    def before_worker_shutdown(self, _broker: object, _worker: object) -> None:
        """Stop claiming. Jobs that have not started go back into the queue after dramatiq's threads have ended."""
        self._process.stopping = True
        self._process.stop_begun.set()
        self._producer.wake()
        threading.Thread(target=self._end_look, name="end look", daemon=True).start()

    def _end_look(self) -> None:
        """Cancel a claim that takes too long while stopping. Repeat this: a cancel misses a query not yet begun."""
        while self._producer.thread.is_alive():
            self._producer.thread.join(_TO_LOOK)
            self._process.pool.cut_opening()
            self._producer.end_look()

    def after_worker_shutdown(self, _broker: object, _worker: object) -> None:
        """Write the last outcomes, end the jobs that have not ended in time, and end the process."""
        self._boot.join(_LAST_MOMENT)  # a boot that waits for a lock or the network ends with the process
        if self._refusal is not None:
            raise self._refusal
        if self._is_command:
            end_within(_CLOSE_WITHIN)
        process = self._process
        steps: list[Callable[[], object]] = [process.runtime.close, process.pool.close, process.handler_pool.close]
        if process.is_booted:
            join = partial(self._producer.thread.join, 3 * _TO_LOOK)
            steps[:0] = [join, process.end_jobs, self.heartbeat.close, self.notifier.close, self._leave]
        for step in steps:
            try:
                step()
            except Exception:  # noqa: BLE001 (the other steps must follow; other processes rescue unwritten jobs)
                self._log.exception("could not stop in good order; please report this")
        if self._is_command and (left := end_children()):
            self._log.warning("ended processes that handlers had left running", processes=left)

    def _leave(self) -> None:
        process = self._process
        if not len(process.held):
            # First put back into the queue jobs whose claims never arrived here: a rescue would raise their ``deaths``.
            beat.leave(process.url, process.id, lambda conn: process.disown(conn, older=0.0))
