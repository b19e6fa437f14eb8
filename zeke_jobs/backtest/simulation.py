"""Runs a workload under one configuration, event by event: deterministic for a seed, without a clock and without a database."""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING

from zeke_jobs.backtest.attempts import Attempts
from zeke_jobs.backtest.limits import NEVER
from zeke_jobs.backtest.rules import Board
from zeke_jobs.backtest.senders import WAIT_WHEN_FULL, Senders
from zeke_jobs.backtest.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from zeke_jobs.backtest.lanes import Lane
    from zeke_jobs.backtest.workload import Fleet, Workload
    from zeke_jobs.config.models import Config

_DUE, _SEND, _END, _LEAVE, _LOOK = range(5)
_SHOW_EVERY = 20_000  # events between two calls of ``progress``


class Simulation:
    """One run. ``now`` is its present time.

    Args:
        workload: The jobs.
        config: The rules; jobs of tasks that it lacks are left out.
        fleet: The workers.
        seed: The seed of all random choices.
        horizon: Latest end of the simulation, even if jobs are left. By default the length of the time that counts, at least
            an hour, after its end.
        board: The rules' state, by default a new one.
    """

    def __init__(
        self,
        workload: Workload,
        config: Config,
        fleet: Fleet,
        *,
        seed: int = 0,
        horizon: float | None = None,
        board: Callable[[Config, Random, float, str | None], Board] = Board,
    ) -> None:
        self.workload = workload
        self.config = config
        self.fleet = fleet
        self.now = 0.0
        self.horizon = horizon if horizon is not None else workload.end + max(3600.0, workload.end - workload.begin)
        self._random = Random(seed)  # noqa: S311 (chance, no secrets)
        self.board = board(config, self._random, workload.origin, workload.currency)
        ids = {name: task.id for name in set(workload.task) if (task := config.task(name))}
        self.tally = Tally(workload, self.board, ids)
        self._tasks = config.tasks
        self._lanes = [self.board.lanes[ids[name]] if name in ids else None for name in workload.task]
        self._priorities = [
            config.tasks[ids[name]].priority if given is None and name in ids else given or 0
            for name, given in zip(workload.task, workload.priority, strict=True)
        ]
        self._queues = list(config.queues)
        self._free = fleet.slots
        self._events: list[tuple[float, int, int, int]] = []
        self._sequence = self._sent = 0
        self._order = [0] * len(workload)
        self._due: dict[int, float] = {}  # queued jobs
        self._attempts = Attempts(workload, config, self._random)
        self._expiring: dict[int, bool] = {}  # jobs that will expire, and whether they are due
        self._unfinished_ticks: dict[str, int] = {}
        self._opens = NEVER  # when a limit lets another job start
        self._senders = Senders(workload, self._is_bounded)
        self._end_of = {job: end for end, members in workload.ends.items() for job in members}
        self._unended = {end: len(members) for end, members in workload.ends.items()}  # jobs of a batch

    def run(self, progress: Callable[[float], object] = lambda _share: None) -> Tally:
        """Run to the end; ``progress`` gets the share of the time that has passed."""
        events, roots, sent = self._events, self.workload.roots, self.workload.sent
        void = self._senders.void
        at_root, count = 0, len(roots)
        due_root = sent[roots[0]] if count else NEVER
        next_sample = self.workload.begin
        whole = max(self.workload.end, 1e-9)
        step = 0
        # In the order of _DUE, _SEND, …
        handle = (self._release, self._send, self._end, self._leave, self._look)
        while events or at_root < count:
            now = min(due_root, events[0][0]) if events else due_root
            if now > self.horizon:
                break
            self.now = now
            if now > next_sample:
                next_sample = self.tally.sample(now)
            acts = due_root <= now
            while due_root <= now:
                self._send(roots[at_root], now)
                at_root += 1
                due_root = sent[roots[at_root]] if at_root < count else NEVER
            while events and events[0][0] <= now:
                _, number, kind, job = heappop(events)
                if number in void:
                    void.discard(number)
                    continue
                handle[kind](job, now)
                acts = acts or kind != _END  # a claim follows later
            if acts and self._free:
                self._claim(now)
            step += 1
            if not step % _SHOW_EVERY:
                progress(min(1.0, now / whole))
        self.tally.close(min(self.horizon, max(self.tally.last, self.workload.end)), self._due, self._attempts.tried)
        return self.tally

    # ── events ──

    def _is_bounded(self, job: int) -> bool:
        lane = self._lanes[job]
        return lane is not None and self._tasks[lane.task].max_queued is not None

    def _send(self, job: int, now: float) -> None:
        lane = self._lanes[job]
        self._senders.sends(job)
        if lane is None:
            self.tally.unserved(job)
            self._leave_batch(job)
            return
        workload = self.workload
        if workload.tick[job]:
            if self._skips(lane):
                self.tally.tasks[lane.task].skipped += 1
                return
            self._unfinished_ticks[lane.task] = self._unfinished_ticks.get(lane.task, 0) + 1
        bound = self._tasks[lane.task].max_queued
        if bound is not None and self.tally.queued[lane.task] >= bound:
            self.tally.tasks[lane.task].refused += 1
            self._over(lane, job)
            if (cut := self._senders.cut(job)) is not None:
                self._put_off(*cut, now, is_hopeless=lane.paused)
            return
        self.tally.sent(lane, job)
        self._sent += 1
        self._order[job] = self._sent
        leaves = workload.leaves[job]
        if leaves is not None:
            self._expiring[job] = False
            self._push(now + leaves, _LEAVE, job)
        self._queue(lane, job, now + workload.delay[job], now)

    def _put_off(self, sender: int, until: float, now: float, *, is_hopeless: bool) -> None:
        """A sender met a full queue: end its attempt early and repeat it later, unless the queue can never empty."""
        lane = self._lanes[sender]
        assert lane is not None
        self._free += 1
        self._attempts.cut(sender)
        self.board.end(lane, sender, self.workload.key[sender], now, "deferred", failed=None, spent=None)
        self.tally.cut(lane, now, until)
        self.tally.again(lane, sender, is_retry=False)
        self._queue(lane, sender, NEVER if is_hopeless else now + WAIT_WHEN_FULL, now)

    def _skips(self, lane: Lane) -> bool:
        """Whether a schedule's tick is skipped, because the job of an earlier tick is unfinished."""
        schedules = self._tasks[lane.task].schedules.values()
        return any(cron.overlap == "skip" for cron in schedules) and self._unfinished_ticks.get(lane.task, 0) > 0

    def _queue(self, lane: Lane, job: int, due: float, now: float) -> None:
        self._due[job] = due
        self.board.queue(lane, job, self._priorities[job], due, self.workload.key[job])
        seen = due + self._wake_up()
        if seen <= now:
            self._release(job, now)
        else:
            self._push(seen, _DUE, job)

    def _release(self, job: int, now: float) -> None:
        due = self._due.get(job)
        lane = self._lanes[job]
        if due is None or lane is None:  # it expired before it was due
            return
        if self._expiring and job in self._expiring:
            self._expiring[job] = True
        self.board.release(lane, job, self._priorities[job], due, self._order[job], self.workload.key[job])
        if not self._free and not lane.holdups.cause:
            lane.holdups.note(lane.obstacle(now), now)

    def _leave(self, job: int, now: float) -> None:
        is_due = self._expiring.pop(job, None)
        lane = self._lanes[job]
        if is_due is None or lane is None:  # it started in time
            return
        due = self._due.pop(job)
        self.board.withdraw(lane, job, self._priorities[job], self.workload.key[job], now, is_due=is_due)
        self.tally.left_unstarted(lane, job, now, now - due)
        self._over(lane, job)

    def _end(self, job: int, now: float) -> None:
        lane = self._lanes[job]
        assert lane is not None
        self._free += 1
        self._senders.ended(job)
        attempt = self._attempts.next(job)[1]
        again = self._attempts.end(lane, job, attempt, now)
        cost = self._attempts.cost(job, attempt) if lane.metered else None
        self.board.end(lane, job, self.workload.key[job], now, attempt.how, failed=attempt.failed, spent=cost)
        self._push(now + self._wake_up(), _LOOK, -1)
        if again is None:
            self.tally.finished(lane, job, now, completed=attempt.how == "completed")
            self._over(lane, job, failed=attempt.how not in ("completed", "cancelled"))
            return
        delay, is_retry = again
        self.tally.again(lane, job, is_retry=is_retry)
        self._queue(lane, job, now + delay, now)

    def _leave_batch(self, job: int) -> None:
        """Count a job of a batch as ended, and send the job at the batch's end after the last one."""
        if (end := self._end_of.pop(job, None)) is None:
            return
        self._unended[end] -= 1
        if not self._unended[end]:
            self._push(self.now, _SEND, end)

    def _over(self, lane: Lane, job: int, *, failed: bool = False) -> None:
        if self._end_of:
            self._leave_batch(job)
        self.board.leave(lane, job, self.workload.key[job], failed=failed)
        if self.workload.tick[job]:
            self._unfinished_ticks[lane.task] -= 1

    # ── claims ──

    def _look(self, _job: int, now: float) -> None:
        if self._opens <= now:
            self._opens = NEVER

    def _claim(self, now: float) -> None:
        queues = self._queues
        if len(queues) > 1:
            queues = [queue for queue in queues if self.board.busy[queue]]
            self._random.shuffle(queues)
        self.board.opens = NEVER
        for queue in queues:
            if self.board.busy[queue]:
                for job in self.board.claim(now, self._free, queue):
                    self._start(job, now)
        # If a rate, a budget or a breaker blocks the claim, it is repeated when they let a job start.
        if self._free and self.board.opens < self._opens:
            self._opens = self.board.opens
            self._push(self._opens + self._wake_up(), _LOOK, -1)

    def _wake_up(self) -> float:
        """Seconds until a worker claims, after a job fell due or ended or a limit opened."""
        wake_ups = self.fleet.wake_ups
        return wake_ups[0] if len(wake_ups) == 1 else wake_ups[int(self._random.random() * len(wake_ups))]

    def _start(self, job: int, now: float) -> None:
        workload = self.workload
        lane = self._lanes[job]
        assert lane is not None
        self._free -= 1
        tried, attempt = self._attempts.next(job)
        held = attempt.held
        wait = now - self._due.pop(job) + workload.start[job]
        self.tally.started(lane, job, now, wait, held, first=job not in self._attempts.tried)
        if self._expiring:
            self._expiring.pop(job, None)
        if job in self._senders:
            # Before an end at the same moment, because a full queue ends the attempt.
            sends = [
                self._push(now + min(one.after, held), _SEND, one.job) for one in self._senders.to_send(job, tried)
            ]
            self._senders.started(job, now + held, [*sends, self._push(now + held, _END, job)])
            return
        self._push(now + held, _END, job)
        if job in workload.follow_ups:
            for follow_up in workload.follow_ups[job]:
                if follow_up.attempt == tried:
                    self._push(now + min(follow_up.after, held), _SEND, follow_up.job)

    def _push(self, at: float, kind: int, job: int) -> int:
        self._sequence += 1
        heappush(self._events, (at, self._sequence, kind, job))
        return self._sequence
