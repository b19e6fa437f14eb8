"""The next attempt of a job, and its consequence: another attempt, or the job's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeke_jobs.worker.finish.outcome import backoff

if TYPE_CHECKING:
    from random import Random

    from zeke_jobs.backtest.lanes import Lane
    from zeke_jobs.backtest.workload import Attempt, Workload
    from zeke_jobs.config.models import Config

_FIRST = (0, 0)


class Attempts:
    """The attempts of each job.

    Args:
        workload: The jobs with their recorded attempts.
        config: The retry policies.
        chance: The source of random numbers.

    Attributes:
        tried: For jobs that will be tried again: the number of attempts, and of retries by the policy.
    """

    def __init__(self, workload: Workload, config: Config, chance: Random) -> None:
        self.tried: dict[int, tuple[int, int]] = {}
        self._workload = workload
        self._tasks = config.tasks
        self._random = chance.random

    def next(self, job: int) -> tuple[int, Attempt]:
        """The attempt that a job makes now or next, and its number."""
        number = self.tried[job][0] if job in self.tried else 0
        attempts = self._workload.attempts[job]
        # A job whose last recorded attempt failed is assumed to fail again.
        return number, attempts[number] if number < len(attempts) else attempts[-1]

    def cut(self, job: int) -> None:
        """Note that an attempt was cut short, and will be made again."""
        self.tried.setdefault(job, _FIRST)

    def end(self, lane: Lane, job: int, attempt: Attempt, now: float) -> tuple[float, bool] | None:
        """End an attempt: the seconds until its job is due again, and whether that is a retry; None if the job has ended."""
        tried, retries = self.tried.pop(job, _FIRST)
        again = None if attempt.how == "completed" else self._again(lane, attempt, retries, now)
        if again is not None:
            self.tried[job] = (tried + 1, retries + again[1])
        return again

    def cost(self, job: int, attempt: Attempt) -> float | None:
        """The cost of an attempt: attempts that ran to their end share the job's cost. None if it is unknown."""
        cost = self._workload.cost[job]
        if cost is None or not attempt.costs:
            return None
        return cost / sum(one.costs for one in self._workload.attempts[job])

    def _again(self, lane: Lane, attempt: Attempt, retries: int, now: float) -> tuple[float, bool] | None:
        if attempt.failed and (until := lane.deferred_until(now)) is not None:
            return until - now, False
        if attempt.how in ("rejected", "cancelled"):
            return None
        if attempt.how == "deferred":
            return attempt.gap or 0.0, False
        policy = self._tasks[lane.task].retry
        if attempt.how == "died":  # uses up no retry, but a task without retries fails
            return (0.0, False) if policy.limit else None
        if retries >= policy.limit and not attempt.own:
            return None
        if attempt.gap is not None:
            return attempt.gap, True
        return backoff(policy, retries + 1, chance=self._random()), True
