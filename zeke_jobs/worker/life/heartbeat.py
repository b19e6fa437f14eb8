"""Sends heartbeats of this worker process, follows new revisions of jobs.yaml, stops cancelled jobs, and starts chores."""

import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres import pool
from zeke_jobs.postgres.pool import DISCONNECTED, Pool, connect, is_away
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying, store
from zeke_jobs.scheduler import dispatch
from zeke_jobs.worker.claim.claims import Claim, clock
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.life import chores
from zeke_jobs.worker.run.interrupts import Cancelled, Lost

_TICK = 0.1  # seconds; the precision of timeouts
_LEAST_PAUSE = 0.005  # minimum number of seconds between two checks for notifications, because any client can send many
_WATCH = 1.0  # seconds between checks of running jobs
_MARK_AFTER = 0.05  # seconds; if a handler runs longer, its start is written before its end
_TRIM_AFTER = 10.0
_REVISION_CHECK = 1.0  # seconds between checks of the number of the revision in force, if no notifications arrive
_RARE_REVISION_CHECK = 60.0  # seconds between these checks if notifications arrive; heartbeats also read the number
_SILENCE = 60.0  # seconds between checks for a scheduler's heartbeat
_CLOSE_WITHIN = 5.0  # seconds for running statements at shutdown; after that, the server rolls them back
_THOROUGH = 60.0  # seconds between searches for chores that may read all queued jobs
_SUMMARY = 10.0  # seconds between lines about completed jobs
_STUCK_AFTER = 30.0  # seconds; a turn of either loop takes at most 3 s, unless it waits for the database
_DATABASE = str(Path(pool.__file__).parent)


class Heartbeat:
    """Ticks in a thread. The clock of this process decides only when to tick. The database decides which process is lost."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._process = process = producer.process
        self._proof = process.proof
        self._pool = Pool(process.url, max_size=1, application_name="zeke-jobs heartbeat")
        now = time.monotonic()
        # Start repeated work at random times, because the processes of a fleet boot at the same time.
        thorough, purge = random.uniform(0, _THOROUGH), random.uniform(0, chores.EVERY)  # noqa: S311 (no secrets)
        self._next = {"thorough chores": now + thorough, "purge": now + purge, "silence": now + _SILENCE}
        self._woken = threading.Event()
        self._closing = False
        self.turned = time.monotonic()  # when the loop began its current turn
        self.is_away = False  # whether the database did not answer the last query
        self.thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._log = get_logger("zeke_jobs.heartbeat")
        self._refused = 0
        self._background: dict[str, threading.Thread] = {}

    def close(self) -> None:
        """Stop the thread, and end the background work."""
        self._closing = True
        self._woken.set()
        end = time.monotonic() + _CLOSE_WITHIN
        for thread in (self.thread, *self._background.values()):
            thread.join(max(0.0, end - time.monotonic()))
        self._pool.close()

    def check_revision_soon(self) -> None:
        """Look for a new revision of jobs.yaml at the next tick, because one was applied."""
        self._next["revision"] = 0.0

    def watch_now(self) -> None:
        """Check at once for cancelled jobs, because one that was cancelled may be running in this process."""
        self._next["watch"] = 0.0
        self._woken.set()

    def _is_due(self, work: str, every: float) -> bool:
        """Return whether the work is due, and if so, make it due again after ``every`` seconds."""
        now = time.monotonic()
        if now < self._next.get(work, 0.0):
            return False
        self._next[work] = now + every
        return True

    def _run(self) -> None:
        while not self._closing:
            if self._woken.wait(_TICK):
                self._woken.clear()
                time.sleep(_LEAST_PAUSE)
            self.turned = time.monotonic()
            try:
                if self._is_due("beat", self._proof.every):
                    self._ask(self.beat)  # first, because no failure may prevent the proof of life
                self._process.tick()
                if (blocked := self._process.loop.watch()) is not None:
                    self._note_blocked(*blocked)
                rarely = self._producer.notifications_arrive
                if self._is_due("revision", _RARE_REVISION_CHECK if rarely else _REVISION_CHECK):
                    self._ask(self.check_revision)
                if len(self._process.held) and self._is_due("watch", _WATCH):
                    self._ask(self.watch)
            except Exception as error:  # noqa: BLE001 (the thread that proves life must go on; each failure is logged)
                if not is_away(error):
                    self._log.exception("heartbeat failed")
                    continue
                self._log.warning("no heartbeat: the database is unreachable", error=str(error).strip())
                self.is_away = True
                self._pool.drop_idle()
                self._process.handler_pool.drop_idle()
                self._next["beat"] = self.turned + 1.0

    def _ask(self, step: Callable[..., object], *args: object, **options: object) -> None:
        with self._pool.connection() as conn:
            step(conn, *args, **options)

    def _note_blocked(self, claim: Claim | None, stack: str) -> None:
        """Log a handler that blocks the event loop for all other handlers, and record the blockage for ``zeke-jobs doctor``."""
        job = {"task": claim and claim.task, "job_id": claim and str(claim.id)}
        self._log.warning("an async handler blocks the event loop: it does not await", **job, stack=stack)
        self._ask(SQL.run, "worker/blocked", worker=self._process.id, stack=stack, **job)

    def beat(self, conn: Connection) -> None:
        """Send one heartbeat: prove that the process lives, and start the chores that are due."""
        process = self._process
        sent = clock()
        said = {"busy": len(process.held), "revision": process.runtime.revision, "stopping": process.stopping}
        row = SQL.only(conn, "worker/heartbeat", worker=process.id, **said)
        if not row["alive"]:
            # Other processes took this process's jobs while it was frozen, so handlers that still run here cannot commit.
            self._log.warning("taken for dead; the jobs that run here are lost and stopped")
            for claim in process.held.all():
                if claim.running is not None:
                    claim.running.stop(Lost("this process was taken for dead; the job runs elsewhere"))
            process.register(conn)
            self._proof.registered_again()
            self._producer.wake()  # the producer must ask again to be notified
        self._proof.proved(sent)
        self.is_away = False
        if row["revision"] > process.runtime.revision:
            self._next["revision"] = 0.0
        found = frozenset(SQL.value(conn, "worker/chores", thorough=self._is_due("thorough chores", _THOROUGH)))
        chores.do(conn, found - chores.LONG)
        if long := found & chores.LONG:
            self._begin("chores", lambda conn: chores.do(conn, long))
        if self._proof.may_hold_unknown_claims():
            process.disown(conn)
        if self._is_due("summary", _SUMMARY):
            process.completer.log_completed()
        if self._is_due("silence", _SILENCE) and (silence := dispatch.silence(conn)) is not None:
            minutes = round(silence.total_seconds() / 60, 1)
            self._log.warning("no scheduler beats; cron jobs are not sent", minutes=minutes)
        if self._is_due("purge", chores.EVERY):
            self._begin("retention", lambda conn: chores.purge_if_due(conn, lambda: self._closing))
        process.pool.trim(keep=1, older_than=_TRIM_AFTER)
        process.handler_pool.trim(keep=0, older_than=_TRIM_AFTER)

    def _begin(self, name: str, work: Callable[[Connection], object]) -> None:
        """Begin work that may take long, in a thread and a connection of its own, unless the work is already in progress."""
        if (thread := self._background.get(name)) is None or not thread.is_alive():
            self._background[name] = threading.Thread(target=self._work, args=(name, work), name=name, daemon=True)
            self._background[name].start()

    def _work(self, name: str, work: Callable[[Connection], object]) -> None:
        log = get_logger(f"zeke_jobs.{name}")
        try:
            with closing(connect(self._process.url, application_name=f"zeke-jobs {name}")) as conn:
                work(conn)
        except DISCONNECTED as error:
            log.warning("left undone: the database is unreachable", error=str(error).strip())
        except Exception:
            log.exception("failed")

    def check_revision(self, conn: Connection) -> None:
        """If jobs.yaml has a new revision, use it, in a separate thread because importing handlers may be slow."""
        number = store.latest_number(conn)
        if number > self._process.runtime.revision and number != self._refused:
            self._begin("revision", self.follow)

    def follow(self, conn: Connection) -> None:
        """Use the revision in force for the next jobs. If it does not fit this code, store why in the worker's row."""
        process, latest = self._process, store.latest(conn)
        assert latest is not None  # check_revision has seen the number of this revision
        try:
            config = latest.config()
            process.use(config, latest.number)
        except ConfigurationError as error:
            self._refused = latest.number
            SQL.run(conn, "fleet/refusal", worker=process.id, refusal=str(error))
            event = "the revision in force does not fit this process's code; the last one stays"
            self._log.error(event, revision=latest.number, error=str(error))
            return
        process.runtime.file_revision = applying.file_revision(conn, process.runtime.file_revision)
        process.register(conn)
        self._log.info("running by a new revision", revision=latest.number)
        if unserved := sorted(set(config.queues) - set(process.queues)):
            self._log.warning("not consumed by this process before a restart", queues=unserved)

    def watch(self, conn: Connection) -> None:
        """Record which handlers run, and stop handlers of cancelled jobs."""
        process = self._process
        process.mark_started(conn, _MARK_AFTER)
        for row in SQL.all(conn, "job/cancelling", worker=process.id, held=[claim.id for claim in process.held.all()]):
            if not process.cancel(row["id"], Cancelled(row["reason"] or "cancelled")):
                self._next["watch"] = 0.0  # the handler is just starting, so try again at the next tick


def faults(producer: Producer, heartbeat: Heartbeat) -> tuple[str, str]:
    """Return why a process is stuck (except in a wait for the database), and why it can run no jobs, or empty texts."""
    process = producer.process
    if not process.is_booted:
        return "", "waits for the database"
    if process.stopping:
        return "", "is stopping"
    loops: tuple[Heartbeat | Producer, ...] = (heartbeat, producer)
    stuck = "; ".join(why for loop in loops if (why := _stuck(loop)))
    if heartbeat.is_away:
        return stuck, "waits for the database"
    return stuck, "" if process.proof.is_fresh() else "no heartbeat has reached the database for too long"


def _stuck(loop: Heartbeat | Producer) -> str:
    thread, still = loop.thread, time.monotonic() - loop.turned
    if not thread.is_alive():
        return f"its thread {thread.name} has ended"
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 (_current_frames is made for finding deadlocks)
    while frame is not None and not frame.f_code.co_filename.startswith(_DATABASE):
        frame = frame.f_back
    asks = frame is not None  # the thread is inside a call to the database
    return f"its thread {thread.name} has stood still for {still:.0f} s" if still > _STUCK_AFTER and not asks else ""
