"""A board whose claims are made by the real SQL, and held against the rules: the simulation then runs on what the database did."""

from __future__ import annotations

from copy import copy, deepcopy
from datetime import UTC, datetime
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from zeke_jobs.backtest.rules import Board
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.payload.json_text import encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random
    from uuid import UUID

    from tests.zeke_jobs.worker.conftest import Jobs
    from zeke_jobs.backtest.lanes import Lane, Level
    from zeke_jobs.backtest.workload import Ending, Fleet, Key, Workload
    from zeke_jobs.config import Config


#: A clock that is set without a new function each time, for which every plan would be made anew.
CLOCK = """
CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT current_setting('zeke_test.now')::timestamptz $$"""

#: Of what raised; one whose worker died has none here.
_ERRORS = dict.fromkeys(("retry", "failed", "rejected"), Json({"type": "ValueError"}))


class Witness(Board):
    """Does in the database what is done to the board, at the simulation's time."""

    sql: Jobs
    worker: UUID
    simulation: Simulation

    def __init__(self, config: Config, chance: Random, origin: float, currency: str | None) -> None:
        super().__init__(config, chance, origin, currency)
        self.starts: list[tuple[float, int]] = []
        self._ids: dict[int, UUID] = {}
        self._jobs: dict[UUID, int] = {}
        self._claims: dict[int, dict[str, Any]] = {}
        self._ended: int | None = None
        self._ended_at = 0.0
        self._how: Ending = "completed"
        self._breaks = False
        self._failed: set[int] = set()
        self._turns: dict[int, tuple[str, ...]] = {}  # by priority
        self._expected: set[int] = set()

    def queue(self, lane: Lane, job: int, priority: int, due: float, key: Key | None) -> None:
        super().queue(lane, job, priority, due, key)
        if self._ended == job:
            self._ended = None
            self._clock(self.simulation.now)
            outcome = "deferred" if self._how == "deferred" else "retry"
            said = {"until": self._moment(due), "breaks": self._breaks, "error": _ERRORS.get(self._how)}
            assert self.sql.finish(self.worker, self._claims.pop(job), outcome, **said)
            assert self.sql.row(self._ids[job])["run_at"] == self._moment(due)  # an open breaker says when
            return
        self._settle()
        self._clock(self.simulation.now)
        options: dict[str, Any] = {
            "priority": priority,
            "run_at": self._moment(due).isoformat(),
            **({"key": key} if key else {}),
        }
        leaves = self.simulation.workload.leaves[job]
        if leaves is not None:
            options["expires"] = leaves
        (made,) = self.sql.add(lane.task, options=encode(options))
        self._ids[job], self._jobs[made] = made, job

    def end(
        self,
        lane: Lane,
        job: int,
        key: Key | None,
        now: float,
        how: Ending,
        *,
        failed: bool | None,
        spent: float | None,
    ) -> None:
        super().end(lane, job, key, now, how, failed=failed, spent=spent)
        self._settle()
        self._ended, self._ended_at, self._how, self._breaks = job, now, how, bool(failed)
        if spent is not None:
            self._clock(now)
            claim = self._claims[job]
            self.sql.rows(
                "SELECT zeke_jobs.report(%s, %s, %s)", claim["message_id"], claim["claim"], encode({"USD": spent})
            )

    def leave(self, lane: Lane, job: int, key: Key | None, *, failed: bool) -> None:
        super().leave(lane, job, key, failed=failed)
        if failed:
            self._failed.add(job)

    def withdraw(self, lane: Lane, job: int, priority: int, key: Key | None, now: float, *, is_due: bool) -> None:
        super().withdraw(lane, job, priority, key, now, is_due=is_due)
        self._expire()

    def _expire(self) -> None:
        """The sweep of what was not started in time, as the simulation has it."""
        self._settle()
        self._clock(self.simulation.now)
        self.sql.rows("SELECT zeke_jobs.expire(100)")

    def claim(self, now: float, want: int, queue: str) -> list[int]:
        self._settle()
        self._clock(now)
        rows = {self._jobs[row["message_id"]]: row for row in self.sql.claim(self.worker, want, queue=queue)}
        self.sql.rows(  # as a worker does
            "SELECT zeke_jobs.mark_started(%s, %s::uuid[], %s::bigint[], %s::double precision[])",
            self.worker, [row["message_id"] for row in rows.values()], [row["claim"] for row in rows.values()], [0.0] * len(rows),
        )  # fmt: skip
        self._expected = set(rows)
        self._turns = next(filter(lambda turns: self._would(turns, now, want, queue), self._orders(queue)), {})
        started = super().claim(now, want, queue)
        assert set(started) == self._expected, (
            f"at {now}: expected {sorted(started)} in some order, got {sorted(self._expected)}"
        )
        self._claims |= rows
        self.starts += [(now, job) for job in started]
        return started

    def _orders(self, queue: str) -> Iterator[dict[int, tuple[str, ...]]]:
        """All orders of the tasks of each priority: the database draws one."""
        tasks: dict[int, list[str]] = {}
        for lane in self.busy[queue]:
            for priority in lane.levels if not lane.paused else ():
                tasks.setdefault(priority, []).append(lane.task)
        for orders in product(*(permutations(some) for some in tasks.values())):
            yield dict(zip(tasks, orders, strict=True))

    def _would(self, turns: dict[int, tuple[str, ...]], now: float, want: int, queue: str) -> bool:
        """Whether the rules, in this order, start what the database did."""
        trial = copy(self)
        trial.lanes, trial.limits, trial.busy = deepcopy((self.lanes, self.limits, self.busy))
        trial._turns = turns
        return set(Board.claim(trial, now, want, queue)) == self._expected

    def order(self, levels: list[tuple[Lane, Level]]) -> list[tuple[Lane, Level]]:
        turns = self._turns.get(levels[0][1].priority, ())
        return sorted(levels, key=lambda one: turns.index(one[0].task) if turns else 0)

    def keys(self, lane: Lane, level: Level) -> Iterator[Key | None]:
        """First the keys of which the database started all that had room, at last those of which it started none."""

        def place(key: Key | None) -> int:
            jobs = {waiting[2] for waiting in level.open[key]}
            return 2 if not jobs & self._expected else 1 if jobs - self._expected else 0

        yield from sorted(level.open, key=place)

    def _settle(self) -> None:
        """An attempt that is not followed by another one completed."""
        if self._ended is not None:
            job, self._ended = self._ended, None
            self._clock(self._ended_at)
            if job in self._failed:
                assert self.sql.finish(
                    self.worker, self._claims.pop(job), "failed", breaks=self._breaks, error=_ERRORS["failed"]
                )
                return
            assert self.sql.complete(self.worker, [self._claims.pop(job)]) == [self._ids[job]]

    def _clock(self, now: float) -> None:
        self.sql.rows("SELECT set_config('zeke_test.now', %s, false)", self._moment(now).isoformat())

    def _moment(self, at: float) -> datetime:
        return datetime.fromtimestamp(self.simulation.workload.origin + at, UTC)


def witnessed(sql: Jobs, workload: Workload, config: Config, fleet: Fleet, *, seed: int = 0) -> list[tuple[float, int]]:
    """Run a workload on the real claims; answers which job started when."""
    for table in ("queue", "bucket_key", "bucket_change", "unit_use", "breaker_end", "worker"):
        sql.rows(f"DELETE FROM zeke_jobs.{table}")
    sql.rows(
        "UPDATE zeke_jobs.bucket SET tripped_on = NULL, closed_until = NULL, closed_by = NULL, closed_why = NULL, probe = NULL, "
        "next_at = '-infinity', spent = 0, spent_on = NULL, averages = '{}', key_cursor = ''"
    )
    # Not for ever: jobs that alone probe, and fail each time, lose no attempt.
    horizon = workload.end + 30.0
    simulation = Simulation(workload, config, fleet, seed=seed, horizon=horizon, board=Witness)
    board = simulation.board
    assert isinstance(board, Witness)
    board.sql, board.simulation = sql, simulation
    board._clock(0.0)
    board.worker = sql.worker()
    simulation.run()
    return board.starts
