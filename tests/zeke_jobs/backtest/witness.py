"""A witness repeats each claim of a simulation with the real SQL, and checks that both claim the same jobs."""

from collections.abc import Iterator
from copy import copy, deepcopy
from datetime import UTC, datetime
from itertools import permutations, product
from random import Random
from typing import Any
from uuid import UUID

from psycopg2.extras import Json

from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.backtest.rules import Board, Lane, Live
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.workload import Attempt, Fleet, Workload
from zeke_jobs.config import Config
from zeke_jobs.payload.json_text import encode

#: Replacing the function at each step would invalidate every plan, so the function reads the time elsewhere.
CLOCK = """
CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT current_setting('zeke_test.now')::timestamptz $$"""

#: An attempt with an outcome in _ERRORS raised; an attempt whose worker died has no error.
_ERRORS = dict.fromkeys(("retry", "failed", "rejected"), Json({"type": "ValueError"}))


class Witness(Board):
    """This board repeats each step of the simulation in the database, at the simulated time."""

    sql: Jobs
    worker: UUID
    simulation: Simulation

    def __init__(self, workload: Workload, config: Config, chance: Random) -> None:
        super().__init__(workload, config, chance)
        self._ids: dict[Live, UUID] = {}
        self._jobs: dict[UUID, Live] = {}
        self._claims: dict[Live, dict[str, Any]] = {}
        self._ended: tuple[Live, float, Attempt] | None = None
        self._failed: set[Live] = set()
        self._turns: dict[int, tuple[str, ...]] = {}  # The keys are priorities.
        self._expected: set[int] = set()  # The numbers give the jobs' order of sending.

    def queue(self, live: Live, due: float) -> None:
        super().queue(live, due)
        if self._ended is not None and self._ended[0] is live:
            attempt, self._ended = self._ended[2], None
            self._clock(self.simulation.now)
            outcome = "deferred" if attempt.how == "deferred" else "retry"
            said = {"until": self._moment(due), "error": _ERRORS.get(attempt.how)}
            assert self.sql.finish(self.worker, self._claims.pop(live), outcome, **said)
            assert self.sql.row(self._ids[live])["run_at"] == self._moment(due)
            return
        self._settle()
        self._clock(self.simulation.now)
        options: dict[str, Any] = {"priority": live.priority, "run_at": self._moment(due).isoformat()}
        options |= {"key": live.job.key} if live.job.key else {}
        options |= {"expires": live.job.leaves} if live.job.leaves is not None else {}
        (made,) = self.sql.add(live.lane.task.id, options=encode(options))
        self._ids[live], self._jobs[made] = made, live

    def end(self, live: Live, attempt: Attempt, spent: float | None) -> None:
        super().end(live, attempt, spent)
        self._settle()
        self._ended = live, self.simulation.now, attempt
        if spent is not None:
            self._clock(self.simulation.now)
            claim = self._claims[live]
            given = claim["message_id"], claim["claim"], encode({"USD": spent})
            self.sql.rows("SELECT zeke_jobs.report(%s, %s, %s)", *given)

    def leave(self, live: Live, now: float, *, failed: bool) -> None:
        super().leave(live, now, failed=failed)
        if failed:
            self._failed.add(live)

    def withdraw(self, live: Live, now: float) -> None:
        super().withdraw(live, now)
        self._settle()
        self._clock(now)
        self.sql.rows("SELECT zeke_jobs.expire(100)")  # The simulation also ends expired jobs.

    def claim(self, now: float, want: int, queue: str) -> list[Live]:
        self._settle()
        self._clock(now)
        rows = {self._jobs[row["message_id"]]: row for row in self.sql.claim(self.worker, want, queue=queue)}
        self.sql.rows(  # A worker marks its jobs as started.
            "SELECT zeke_jobs.mark_started(%s, %s::uuid[], %s::bigint[], %s::double precision[])",
            self.worker, [row["message_id"] for row in rows.values()], [row["claim"] for row in rows.values()], [0.0] * len(rows),
        )  # fmt: skip
        self._expected = {live.order for live in rows}
        self._turns = next(filter(lambda turns: self._would(turns, now, want, queue), self._orders(queue)), {})
        started = super().claim(now, want, queue)
        orders = {live.order for live in started}
        assert orders == self._expected, f"at {now}: expected {sorted(orders)}, got {sorted(self._expected)}"
        self._claims |= rows
        return started

    def _orders(self, queue: str) -> Iterator[dict[int, tuple[str, ...]]]:
        """Yield all orders in which tasks of equal priority can take turns, because the SQL claim chooses one at random."""
        tasks: dict[int, list[str]] = {}
        for lane in self.queues[queue]:
            for priority in lane.jobs if not lane.paused else ():
                tasks.setdefault(priority, []).append(lane.task.id)
        for orders in product(*(permutations(some) for some in tasks.values())):
            yield dict(zip(tasks, orders, strict=True))

    def _would(self, turns: dict[int, tuple[str, ...]], now: float, want: int, queue: str) -> bool:
        """Say whether the simulation starts the same jobs as the database if the tasks take turns in this order."""
        trial = copy(self)
        trial.lanes, trial.queues = deepcopy((self.lanes, self.queues))
        trial._turns = turns
        return {live.order for live in Board.claim(trial, now, want, queue)} == self._expected

    def order(self, priority: int, lanes: list[Lane]) -> list[Lane]:
        turns = self._turns.get(priority, ())
        return sorted(lanes, key=lambda lane: turns.index(lane.task.id) if turns else 0)

    def keys(self, lane: Lane, priority: int) -> Iterator[Any]:
        """Yield a task's keys: first keys of which the database has started all due jobs, then keys with some, then with none."""

        def place(key: Any) -> int:
            jobs = {order for _, order, _ in lane.jobs[priority][key]}
            return 2 if not jobs & self._expected else 1 if jobs - self._expected else 0

        yield from sorted(lane.open.get(priority, ()), key=place)

    def _settle(self) -> None:
        """Complete or fail the last ended job of the simulation in the database too. A job with a retry is ended in ``queue``."""
        if self._ended is None:
            return
        (live, ended_at, _), self._ended = self._ended, None
        self._clock(ended_at)
        claim = self._claims.pop(live)
        if live in self._failed:
            assert self.sql.finish(self.worker, claim, "failed", error=_ERRORS["failed"])
        else:
            assert self.sql.complete(self.worker, [claim]) == [self._ids[live]]

    def _clock(self, now: float) -> None:
        self.sql.rows("SELECT set_config('zeke_test.now', %s, false)", self._moment(now).isoformat())

    def _moment(self, at: float) -> datetime:
        return datetime.fromtimestamp(self.simulation.workload.origin + at, UTC)


def witnessed(sql: Jobs, workload: Workload, config: Config, fleet: Fleet, *, seed: int = 0) -> None:
    """Simulate a workload, repeat each claim with the real SQL, and check that both start the same jobs."""
    for table in ("queue", "bucket_key", "bucket_change", "unit_use", "breaker_end", "worker"):
        sql.rows(f"DELETE FROM zeke_jobs.{table}")
    sql.rows(
        "UPDATE zeke_jobs.bucket SET tripped_on = NULL, closed_until = NULL, closed_by = NULL, closed_why = NULL, probe = NULL, "
        "next_at = '-infinity', spent = 0, spent_on = NULL, averages = '{}', key_cursor = ''"
    )
    # The horizon is limited, because a job that probes a breaker uses up no attempt, and could fail for ever.
    simulation = Simulation(workload, config, fleet, seed=seed, horizon=workload.end + 30.0, board=Witness)
    board = simulation.board
    assert isinstance(board, Witness)
    board.sql, board.simulation = sql, simulation
    board._clock(0.0)
    board.worker = sql.worker()
    simulation.run()
