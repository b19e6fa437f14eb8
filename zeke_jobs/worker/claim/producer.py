"""Claims jobs in a loop: waits for a notification or a poll, claims jobs that can start, and passes them to threads."""

import math
import random
import threading
import time

from psycopg2.errors import LockNotAvailable
from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import is_away
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.answer import Answer, ServedQueue, ask
from zeke_jobs.worker.claim.claims import JobMessage, by_threads, clock
from zeke_jobs.worker.finish.outcome import RETURNED, Outcome
from zeke_jobs.worker.finish.writer import UNFIT
from zeke_jobs.worker.process import WorkerProcess

_POLL = 2.0  # seconds; the mean time between claims of an idle process with one queue; it varies by a fifth
_MOST_POLLS = 2  # with more queues, twice this time, which is still less than 5 s (zeke_jobs.is_soon)
_POLL_ALONE = 1.0  # seconds between claims if no notifications arrive
_SOON = (0.02, 0.2)  # seconds before the two extra claims of a process that has just become idle
_SOONEST = 0.005  # seconds; the minimum wait for the time at which a limit lets a job start
_BUSY_AFTER = 1.0  # seconds of full claims after which senders need not notify this process
_LATER = 0.1  # seconds before a claim that probably finds no job: another process was first, or a limit was full
_CHECK = 0.2  # seconds; the maximum pause while a queue has no free thread, or after a claim that found jobs
_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between attempts while the database is unreachable
_AFTER_FAULT = 3.0  # seconds between attempts after an unexpected error
_NOTHING: tuple[int, set[str], set[str]] = (0, set(), set())
_STILL_ENDING = Outcome("deferred", delay=1.0, reason="an earlier run of this job still ends in the same process")


class Producer:
    """Claims all jobs of a worker process in one thread. When the process stops, the current claim is the last."""

    def __init__(self, process: WorkerProcess) -> None:
        self.notifications_arrive = True  # False behind a pooler; the process then only polls
        self.turned = time.monotonic()  # when the loop began its current turn
        self.process = process
        process.completer.on_written = self.freed
        self._held = process.held
        self._changed = process.held.changed
        self._queues: list[ServedQueue] = []
        self._apart: ServedQueue | None = None  # a job of this queue must run alone: claim no other jobs before it
        self._reported, self._pause = _NOTHING, _PAUSE  # the notifications that were last asked for; the next pause
        self._look_connection: Connection | None = None  # the connection of the current claim
        self.thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self._log = get_logger("zeke_jobs.producer")

    def start(self) -> None:
        """Begin to claim."""
        self._queues = [ServedQueue(name, is_async) for name in self.process.queues for is_async in (False, True)]
        self.thread.start()

    def _run(self) -> None:
        while not self.process.stopping:
            queue, self.turned = None, time.monotonic()
            try:
                queue, want = self._next()
                if queue is not None:
                    self._look(queue, want)
                    self._pause = _PAUSE
            except BaseException as error:  # noqa: BLE001 (this thread must go on; each failure is logged)
                self._recover(queue, error)

    def _next(self) -> tuple[ServedQueue | None, int]:
        """Wait until a claim is due and jobs can start. Returns the queue (or None) and the number of jobs to claim."""
        with self._changed:
            served, now = [self._apart] if self._apart else self._served(), time.monotonic()
            queue = min((one for one in served if self._want(one) > 0), key=lambda one: one.look_on, default=None)
            if queue is not None and (self._apart or queue.look_on <= now):
                queue.look_on = math.inf
                return queue, self._want(queue)
            longest = _POLL if all(self._want(one) > 0 for one in served) else _CHECK
            self._changed.wait(longest if queue is None else min(longest, queue.look_on - now))
            return None, 0

    def _served(self) -> list[ServedQueue]:
        return [queue for queue in self._queues if self.process.runtime.ids[queue.is_async]]

    def _want(self, queue: ServedQueue) -> int:
        process, is_async = self.process, queue.is_async
        rests = process.stopping or not process.is_alive() or (self._apart is not None and len(self._held))
        return 0 if rests or (is_async and process.loop.is_blocked) else self._held.want(queue.took, is_async=is_async)

    def _look(self, queue: ServedQueue, want: int) -> None:
        """Claim jobs, and write completed jobs in the same round trip."""
        process, is_empty = self.process, not len(self._held)
        completions = process.completer.take_completions()
        try:
            with process.pool.connection() as conn:
                self._look_connection, asked = conn, clock()
                room, runtime = self._held.room(queue.took, is_async=queue.is_async), process.runtime
                asking = conn, process.id, runtime.ids[queue.is_async], queue.name, want, room
                answer = ask(*asking, is_empty=is_empty, revision=runtime.revision, completions=completions)
                queue.took = clock() - asked
                if completions:
                    process.completer.flush_soon(completions, answer.lost)
                    ended, completions = {claim.task for claim, _ in completions}, []
                    self.freed(ended, but=queue)
                jobs = [JobMessage(row, queue.name, asked, is_async=queue.is_async) for row in answer.jobs]
                self._accept(jobs, lack_threads=answer.lacks_threads and not queue.is_async)
                self._look_ended(conn, queue, answer, asked)
        finally:
            self._look_connection = None
            if completions:
                process.completer.put_back(completions)

    def _accept(self, messages: list[JobMessage], *, lack_threads: bool = False) -> None:
        """Start claimed jobs. If threads are lacking, put jobs that may run long back into the queue."""
        process = self.process
        try:
            claims = [(one.claim, process.runtime.policy(one.claim).limit > 0) for one in messages]
            held = self._held.accept(claims, lack_threads=lack_threads)
            for message, ours in zip(messages, held, strict=True):
                if ours.number != message.claim.number:  # another process rescued the job, then this process claimed it
                    process.settle(message.claim, _STILL_ENDING)
            new = by_threads(one for one, ours in zip(messages, held, strict=True) if ours is one.claim)
            self._held.join([one.claim for one in message.members] for message in new if message.others)
            surplus = -self._held.free(is_async=any(one.claim.is_async for one in messages))
            for message in reversed(new):
                if (surplus > 0 and message.claim.long) or process.stopping:
                    surplus -= max(process.settle(one.claim, RETURNED, unstarted=True) for one in message.members)
            for message in new:
                if not all(one.claim.ended for one in message.members):
                    process.start(message)
        except BaseException:
            for claim in (one.claim for one in messages if self._held.find(one.claim.id) in (None, one.claim)):
                process.settle(claim, RETURNED, unstarted=True)
            raise

    def _look_ended(self, conn: Connection, queue: ServedQueue, answer: Answer, asked: float) -> None:
        """Decide when to claim again. Ask to be notified of new jobs, and of ended jobs that free a full limit."""
        now, frees = time.monotonic(), self.process.runtime.frees
        # To save writes of ``_report``, keep the name of a limit for a second after a claim found the limit full.
        queue.limited = {name: on for name, on in queue.limited.items() if now - on < _BUSY_AFTER}
        queue.full = {name for task, name in answer.limits if (freed := frees.get(task)) is None or name in freed}
        queue.limited |= dict.fromkeys(queue.full, now)
        self._apart = queue if answer.must_empty else None
        if answer.is_full:
            queue.looks = 0
            if now - queue.busy_since > _BUSY_AFTER:
                queue.idle, queue.limited = False, {}
                self._report(conn)
            self._look_again(queue, -math.inf if answer.runs_alone else 0.0)  # this queue first, if a job runs alone
            return
        queue.busy_since, queue.idle = now, True
        # Claim at once and twice soon after: jobs sent or ended before ``_report`` have not notified this process.
        queue.looks = 0 if self._report(conn) else queue.looks + 1
        if queue.looks > len(_SOON) and (not answer.jobs or queue.due_on <= now):
            # Also find jobs due since the claim. Double that time: this statement may take as long to reach the server.
            tasks, since = self.process.runtime.ids[queue.is_async], 2 * (clock() - asked)
            due = SQL.value(conn, "job/next_due", queue=queue.name, tasks=tasks, since=since)
            queue.due_on = math.inf if due is None else now + due
        # Without notifications, poll each queue every second. After a claim that found jobs, claim again soon, because
        # this process has not asked when the next job is due.
        spread = min(len(self._served()), _MOST_POLLS) * random.uniform(0.8, 1.2)  # noqa: S311
        poll = _POLL * spread if self.notifications_arrive else _POLL_ALONE
        soon = (0.0, *_SOON, _CHECK if answer.jobs else poll)[min(queue.looks, len(_SOON) + 1)]
        self._look_again(queue, max(_SOONEST if soon else 0.0, min(soon, queue.due_on - now, answer.opens_in)))

    def _report(self, conn: Connection) -> bool:
        """Store the queues and limits of whose jobs this process wants to be notified. Returns whether some are new."""
        process, before = self.process, self._reported
        idle = {queue.name for queue in self._served() if queue.idle and not self._apart}
        limited = {name for queue in self._queues for name in queue.limited}
        self._reported = (process.registrations, idle, limited)
        if before != self._reported and self.notifications_arrive:
            SQL.run(conn, "worker/waits", worker=process.id, idle=sorted(idle), limited=sorted(limited))
        return before[0] != process.registrations or not (idle <= before[1] and limited <= before[2])

    def _recover(self, queue: ServedQueue | None, error: BaseException) -> None:
        process = self.process
        process.proof.answer_lost()  # the database may have given this process jobs that it does not know
        self._reported = _NOTHING
        # A claim may lack a lock even if it writes no outcomes, because the completer may be writing outcomes now.
        if isinstance(error, LockNotAvailable) or (isinstance(error, UNFIT) and process.completer.waiting()):
            # Let the completer write the outcomes one by one. Then an output that Postgres cannot store, or a row that
            # another session has locked, does not delay the other outcomes.
            self._log.warning("the ends of jobs are written without a claim", error=str(error).strip())
            process.completer.write_now()
            process.stop_begun.wait(_PAUSE)
        elif is_away(error):
            self._log.warning("no claims: the database is unreachable", error=str(error).strip())
            process.pool.drop_idle()
            process.handler_pool.drop_idle()
            process.stop_begun.wait(self._pause)
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        else:
            self._log.exception("a claim failed; please report this", exc_info=error)
            process.pool.drop_idle()  # sessions with outdated prepared statements would always fail
            process.stop_begun.wait(_AFTER_FAULT)
        if queue is not None:
            self._look_again(queue)

    def _look_again(self, queue: ServedQueue, after: float = 0.0) -> None:
        with self._changed:
            queue.look_on = min(queue.look_on, time.monotonic() + after)

    # ── called by other threads ──

    def wake(self, queue: str | None = None, task: str = "", *, later: bool = False) -> None:
        """Claim from ``queue``, where a job of ``task`` was sent, or from all queues if ``queue`` is None.

        Wait 0.1 s if ``later`` (another process was notified first) or a limit of the task was full at the last claim.
        """
        limits = self.process.runtime.frees.get(task) or frozenset()
        with self._changed:
            for one in self._queues:
                if queue in (None, one.name):
                    self._look_again(one, 0.0 if not later and limits.isdisjoint(one.full) else _LATER)
            self._changed.notify_all()

    def freed(self, tasks: set[str], *, but: ServedQueue | None = None) -> bool:
        """Jobs of ``tasks`` have ended: claim where their limits were full. Returns whether a claim will begin soon."""
        limits = [self.process.runtime.frees.get(task) for task in tasks]
        with self._changed:
            now, served = time.monotonic(), self._served()
            for queue in served:
                if queue is not but and any(one is None or not one.isdisjoint(queue.limited) for one in limits):
                    queue.freed = bool(queue.limited)
                if queue.freed and self._held.waiting() <= 0:
                    queue.freed, queue.look_on = False, min(queue.look_on, now)
            if due := [queue for queue in served if queue.look_on <= now]:
                if any(self._want(queue) > 0 for queue in due):
                    self._changed.notify_all()
                return True
            # If the current claim finds as many jobs as it asks for, the next claim follows at once.
            return any(not queue.looks and queue.look_on == math.inf for queue in served)

    def end_look(self) -> None:
        """Cancel the current claim of a process that stops: it may be waiting for a lock or for a lost server."""
        if (conn := self._look_connection) is not None:
            self._log.warning("its last look for jobs takes too long; it is ended")
            conn.cancel()
