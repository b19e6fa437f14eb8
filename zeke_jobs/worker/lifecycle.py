"""Starts and ends a worker process and its own threads, in dramatiq's hooks."""

import signal
import time
from contextlib import closing
from inspect import getclosurevars
from typing import Any

import psycopg2
from dramatiq.middleware import Middleware
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import connection as Connection

from zeke_jobs.core import environment, probes
from zeke_jobs.core.logs import get_logger
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import ConfigurationError, Contended
from zeke_jobs.postgres import installation, migrate
from zeke_jobs.postgres.pool import AddressError, can_listen, connect, is_away
from zeke_jobs.postgres.roles import WORKER, complaint
from zeke_jobs.revisions import applying
from zeke_jobs.worker import stop
from zeke_jobs.worker.boot import Boot, guarded
from zeke_jobs.worker.claim.notifier import Notifier
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.life.heartbeat import Heartbeat
from zeke_jobs.worker.life.progress import faults
from zeke_jobs.worker.life.proof import ProofOfLife
from zeke_jobs.worker.run.coroutines import Coroutines
from zeke_jobs.worker.run.event_loop import HELPERS

_WARN_EACH = 60.0  # seconds
_IDLE = 200  # milliseconds after which dramatiq's idle threads check whether the worker stops; a stop waits for them


class Lifecycle(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Created with the broker; the process starts when dramatiq boots its worker."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._process = process = producer.process
        self._boot = Boot(self._try_to_boot, lambda: process.stopping)
        self._is_command = False  # True in dramatiq's own process, False for a worker inside another program
        self._warn_at, self._warn_after = 0.0, 1.0  # seconds
        self.notifier: Notifier
        self.heartbeat: Heartbeat
        self._log = get_logger("zeke_jobs.worker")

    def after_process_boot(self, _broker: object) -> None:
        """Stop claiming as soon as SIGTERM comes, because dramatiq's main loop checks only once a second."""
        self._is_command = True
        for number in (signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if callable(before) and getclosurevars(before).nonlocals.get("running") is False:
                self._process.stopping = True  # SIGTERM came before this handler was set

            def stop_claiming(signum: int, frame: Any, before: Any = before) -> Any:
                self._process.stopping = True
                return before(signum, frame) if callable(before) else None

            signal.signal(number, stop_claiming)

    def before_worker_boot(self, broker: Any, worker: Any) -> None:
        """Check the database, put jobs.yaml in force, write this process's row and start its threads.

        Ends the process with status 2 when the database's schema or the configuration does not fit.
        """
        process = self._process
        process.queues = tuple(sorted(worker.consumer_whitelist or broker.queues))
        for name in set(process.queues) - set(broker.queues):
            help_ = suggest(name, sorted(broker.queues), what="queues")
            self._log.warning(f"no task of jobs.yaml has the queue {quote(name)}; {help_}")
        worker.worker_timeout = min(worker.worker_timeout, _IDLE)
        coroutines = Coroutines(worker, process.executor, process.loop)
        process.start = lambda message: (
            coroutines.start(message)
            if message.claim.is_async
            else worker.consumers[message.queue_name].handle_message(message)
        )
        process.held.threads, process.held.places = worker.worker_threads, environment.async_places()
        process.handler_pool.resize(worker.worker_threads + HELPERS)
        guarded(self._prepare)
        self._boot.begin()

    def _prepare(self) -> bool:
        process = self._process
        process.proof = ProofOfLife(environment.heartbeat())
        self.heartbeat = Heartbeat(self._producer)
        probes.answer("worker", lambda: faults(self._producer, self.heartbeat))
        self.notifier = Notifier(
            process.url, process.id, self._producer, self.heartbeat.watch_now, self.heartbeat.check_revision_soon
        )
        return True

    def boot_scheduler(self, conn: Connection) -> int | None:
        """Run the start checks of a scheduler when its first beat reaches the database. Returns the revision of its file."""
        if not self._process.runtime.revision:
            self._check(conn)
        self._process.runtime.file_revision = applying.file_revision(conn, self._process.runtime.file_revision)
        return self._process.runtime.file_revision

    def _try_to_boot(self) -> bool:
        try:
            with closing(connect(self._process.url, application_name="zeke-jobs boot")) as conn:
                self._check(conn)
                self._producer.notifications_arrive = can_listen(conn)
                if self._process.stopping:
                    return False  # threads started now would never be ended
                self._process.register(conn)
        except AddressError as error:
            raise ConfigurationError(str(error)) from error
        except InsufficientPrivilege as error:
            raise ConfigurationError(complaint(error, WORKER)) from error
        except (psycopg2.Error, Contended) as error:
            if not isinstance(error, Contended) and not is_away(error):
                raise
            self._warn_of(error)
            return False
        self._process.completer.start()
        self.heartbeat.start()
        self._process.is_booted = True
        self._producer.start()
        self.notifier.start()
        self._log.info(
            "Worker process is ready for action",
            revision=self._process.runtime.revision,
            queues=list(self._process.queues),
        )
        return True

    def _warn_of(self, error: Exception) -> None:
        """Log why the database cannot be used yet: at once, then less and less often, but at least once a minute."""
        now = time.monotonic()
        if now >= self._warn_at:
            self._log.warning("waiting for the database", error=str(error).strip())
            self._warn_after = min(2 * self._warn_after, _WARN_EACH)
            self._warn_at = now + self._warn_after

    def _check(self, conn: Connection) -> None:
        installation.verify(conn)
        migrate.verify(conn, self._process.runtime.file.migrations)
        installation.claim(conn)
        state = applying.sync(conn, self._process.runtime.file)
        self._process.runtime.file_revision = state.file_revision
        self._process.use(state.config, state.revision)
        if not state.is_file:
            what = "an older revision" if state.file_revision else "not applied"
            self._log.warning(
                f"this process's jobs.yaml is {what} and changes nothing; running by the one in force",
                file_revision=state.file_revision,
                revision=state.revision,
            )

    def before_worker_shutdown(self, _broker: object, _worker: object) -> None:
        """Stop claiming. Jobs that have not started are handed back after dramatiq's threads have ended."""
        self._process.stopping = True
        stop.begin(self._producer)

    def after_worker_shutdown(self, _broker: object, _worker: object) -> None:
        """Write the last outcomes, hand back jobs that run past the time allowed, and end."""
        self._boot.end()
        closes = [self.heartbeat.close, self.notifier.close] if self._process.is_booted else []
        stop.end(self._producer, closes, is_command=self._is_command)
