"""Whatever happens, the table of jobs equals the model, no limit is exceeded, and no stale claim has an effect."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings, stateful
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import set_clock

TOP = "limits: {pool: {concurrency: 3}}"
TASKS = """
  limited: {handler: 'H:echo', concurrency: 2, retry: {limit: 1}}
  shared: {handler: 'H:echo', uses: [pool], retry: {limit: 3}}
  keyed: {handler: 'H:echo', uses: [pool], concurrency: {per_key: 1}, retry: {limit: 3}}
  free: {handler: 'H:echo', priority: 1, retry: {limit: 0}}
"""
RETRIES = {"limited": 1, "shared": 3, "keyed": 3, "free": 0}
#: LIMITS gives the concurrency of each limit, and PASSES the limits of each task.
LIMITS = {"limited": 2, "pool": 3}
PASSES = {"limited": ("limited",), "shared": ("pool",), "keyed": ("pool",), "free": ()}
LOST_AFTER = timedelta(seconds=20)
ROWLESS_AFTER = timedelta(minutes=1)
MOST_DEATHS = 3


@dataclass
class JobModel:
    seq: int
    task: str
    key: str | None
    priority: int
    run_at: datetime
    expires_on: datetime | None
    state: str = "queued"
    attempt: int = 0
    attempt_base: int = 0
    deaths: int = 0
    claim: int = 0
    worker: UUID | None = None
    cancelled: bool = False
    waiting_for: str | None = None
    entries: int = 0
    claimed_on: datetime | None = None
    marked: bool = False

    def shown(self) -> dict[str, Any]:
        shown = {name: value for name, value in vars(self).items() if name not in ("seq", "claimed_on", "marked")}
        shown |= {"status": self.status, "ended": self.state in ("done", "rejected")}
        return {**shown, "waiting_for": self.waiting_for if self.state == "queued" else None}

    @property
    def status(self) -> str:
        if self.state == "rejected":
            return "cancelled" if self.cancelled else "failed"
        waiting = "retry" if self.attempt else "created"
        return {"queued": waiting, "consumed": "active", "done": "completed"}[self.state]

    def is_late(self, now: datetime) -> bool:
        return self.attempt == 0 and self.expires_on is not None and self.expires_on <= now

    def is_due(self, now: datetime) -> bool:
        return self.state == "queued" and self.run_at <= now and not self.is_late(now)

    def claimed(self, worker: UUID, now: datetime) -> None:
        self.state, self.worker, self.claimed_on = "consumed", worker, now
        self.claim += 1
        self.marked, self.waiting_for = False, None

    def started(self) -> None:
        if not self.marked:
            self.marked = True
            self.attempt += 1

    def completed(self) -> None:
        self.started()
        self._leave("rejected" if self.cancelled else "done")

    def finished(self, outcome: str, now: datetime, *, has_started: bool, delay: float, reason: str) -> None:
        outcome = "cancelled" if self.cancelled else outcome
        if outcome in ("retry", "failed", "cancelled") and has_started:
            self.started()
        elif self.marked:
            self.attempt -= 1
        self.cancelled = outcome == "cancelled"
        self.entries += outcome != "returned"
        if outcome in ("retry", "deferred"):
            self.run_at = now + timedelta(seconds=delay)
        if outcome in ("retry", "deferred") and self.deaths == 1 and has_started:
            self.deaths = 0
        self._leave("rejected" if outcome in ("failed", "cancelled") else "queued")
        self.waiting_for = reason if outcome == "deferred" else None

    def died(self) -> str:
        self.entries += 1
        if self.cancelled:
            self._leave("rejected")
            return "cancelled"
        self.started()
        self.attempt_base += 1
        self.deaths += 1
        outcome = "quarantined" if self.deaths >= MOST_DEATHS else "rescued" if RETRIES[self.task] else "failed"
        self._leave("queued" if outcome == "rescued" else "rejected")
        return outcome

    def cancel(self) -> None:
        if self.state in ("queued", "consumed"):
            self.cancelled = True
            self.state = "rejected" if self.state == "queued" else self.state

    def retried(self, now: datetime) -> bool:
        if not (self.state == "rejected" or (self.state == "queued" and self.attempt > 0)):
            return False
        self.state, self.cancelled, self.deaths = "queued", False, 0
        self.attempt_base, self.run_at, self.expires_on, self.waiting_for = self.attempt, now, None, None
        return True

    def _leave(self, state: str) -> None:
        self.state, self.worker = state, None


def active(jobs: Iterable[JobModel]) -> tuple[Counter[str], Counter[tuple[str, str | None]]]:
    consumed = [job for job in jobs if job.state == "consumed"]
    return Counter(n for job in consumed for n in PASSES[job.task]), Counter((job.task, job.key) for job in consumed)


def is_paused(job: JobModel, paused: set[str]) -> bool:
    return not paused.isdisjoint({f"task/{job.task}", *(f"limit/{name}" for name in PASSES[job.task])})


def is_blocked(job: JobModel, beside: Iterable[JobModel], paused: set[str]) -> bool:
    """Say whether a limit or a pause blocks the claim of a due job while the jobs in ``beside`` exist."""
    limits, keys = active(beside)
    if is_paused(job, paused) or any(limits[name] >= LIMITS[name] for name in PASSES[job.task]):
        return True
    return job.task == "keyed" and keys[job.task, job.key] >= 1


SEEN = """
  SELECT q.message_id, q.task, q.key, q.priority, q.run_at, q.expires_on, q.state::text, q.attempt, q.attempt_base, q.deaths,
    q.claim, q.worker, q.cancelled_on IS NOT NULL AS cancelled, j.waiting_for, jsonb_array_length(q.attempts) AS entries,
    j.state::text AS status, q.completed_on IS NOT NULL AS ended
  FROM zeke_jobs.queue AS q JOIN zeke_jobs.job AS j ON j.id = q.message_id"""
DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
ALL = "SELECT count(*), md5(string_agg(q::text, '|' ORDER BY q.message_id)) AS rows FROM zeke_jobs.queue AS q"
#: A Held has the ids of a worker and of a job, and the claim number.
Held = tuple[UUID, UUID, int]


class World(RuleBasedStateMachine):
    """Each step, such as a claim, changes the table of jobs and a Python model of it. Between steps, the clock stands still."""

    def __init__(self, conn: Connection) -> None:
        super().__init__()
        self.sql = Jobs(conn)
        self.sql.rows("TRUNCATE zeke_jobs.queue, zeke_jobs.worker, zeke_jobs.pause, zeke_jobs.bucket_key CASCADE")
        self.now: datetime = NOON
        set_clock(conn, self.now)
        # A claim takes tasks of one priority in random order, which the seed makes repeatable.
        self.sql.rows("SELECT setseed(0.5)")
        self.jobs: dict[UUID, JobModel] = {}
        self.workers = [UUID(int=n) for n in range(2)]
        self.beats: dict[UUID, datetime] = {}
        self.beating_since: dict[UUID, datetime] = {}
        self.stale: list[Held] = []
        #: Processes in ``alone`` wait until they hold no job, and then claim one suspect.
        self.alone: set[UUID] = set()
        self.paused: set[str] = set()

    def held(self) -> list[Held]:
        return [(job.worker, id_, job.claim) for id_, job in self.jobs.items() if job.worker is not None]

    def draw(self, data: st.DataObject, of: list[Any]) -> Any:
        return data.draw(st.sampled_from(of))

    @initialize()
    def a_backlog_waits(self) -> None:
        for task in sorted(PASSES):
            for priority in (None, None, 2):
                self.send(task, 1, None, priority, 0, None)

    @rule(
        task=st.sampled_from(sorted(PASSES)), count=st.integers(1, 3), key=st.sampled_from([None, None, "x", "y"]),
        priority=st.sampled_from([None, None, 0, 2]), delay=st.sampled_from([0, 0, 0, 30]),
        expires=st.sampled_from([None, None, None, 45]),
    )  # fmt: skip
    def send(self, task: str, count: int, key: Any, priority: Any, delay: int, expires: Any) -> None:
        said = {"key": key, "priority": priority, "delay": delay or None, "expires": expires}
        options = {name: value for name, value in said.items() if value is not None}
        for _ in range(count):
            id_ = UUID(int=len(self.jobs) + 1)
            assert self.sql.add(task, options=encode({**options, "id": str(id_)})) == [id_]
            self.jobs[id_] = JobModel(
                seq=len(self.jobs),
                task=task,
                key=key or (str(id_) if task == "keyed" else None),
                priority=int(task == "free") if priority is None else priority,
                run_at=self.now + timedelta(seconds=delay),
                expires_on=None if expires is None else self.now + timedelta(seconds=expires),
            )

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id_ = self.draw(data, list(self.jobs))
        job = self.jobs[id_]
        assert self.change("cancel", id_) == (job.state in ("queued", "consumed"))
        job.cancel()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def retry_by_person(self, data: st.DataObject) -> None:
        id_ = self.draw(data, list(self.jobs))
        assert self.change("retry", id_) == self.jobs[id_].retried(self.now)

    def change(self, verb: str, id_: str) -> int:
        call = "zeke_jobs.change_jobs(%s, jsonb_build_object('id', %s::text), reason => 'not wanted')"
        return len(self.sql.rows(f"SELECT unnest(c.changed) FROM {call} AS c", verb, id_))

    @rule(what=st.sampled_from(["task/limited", "task/free", "limit/pool"]))
    def pause_or_resume(self, what: str) -> None:
        self.paused ^= {what}
        if what in self.paused:
            self.sql.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES (%s, 'a test')", what)
        else:
            self.sql.rows("DELETE FROM zeke_jobs.pause WHERE target = %s", what)

    @rule(seconds=st.sampled_from([10, 21, 40, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        set_clock(self.sql.conn, self.now)

    @rule(data=st.data(), leaves=st.sampled_from([False, False, True]))
    def heartbeat_or_leave(self, data: st.DataObject, leaves: bool) -> None:
        worker = self.draw(data, self.workers)
        if leaves:
            SQL.run(self.sql.conn, "worker/leave", worker=worker)
            self.beats.pop(worker, None)
            self.alone.discard(worker)
            return
        busy = sum(held[0] == worker for held in self.held())
        row = SQL.only(self.sql.conn, "worker/heartbeat", worker=worker, busy=busy, revision=1, stopping=False)
        assert row["alive"] == (worker in self.beats)
        if worker in self.beats:
            if self.beats[worker] < self.now - LOST_AFTER:
                self.beating_since[worker] = self.now
            self.beats[worker] = self.now
        due = (job for job in self.jobs.values() if job.deaths > 1 and job.is_due(self.now))
        runs_alone = any(self.jobs[id_].deaths > 1 for held, id_, _ in self.held() if held == worker)
        if not runs_alone and all(is_paused(job, self.paused) for job in due):
            self.alone.discard(worker)

    @rule()
    def rescue(self) -> None:
        lost = {worker for worker, at in self.beats.items() if at < self.now - LOST_AFTER}
        # No process counts as lost until another one has lived for LOST_AFTER, because the database may have been down.
        watched = [self.beating_since[worker] for worker in self.beats if worker not in lost]
        if watched and min(watched) > self.now - LOST_AFTER:
            lost = set()
        expected = {}
        for worker, id_, claim in self.held():
            claimed_on = self.jobs[id_].claimed_on
            is_rowless = worker not in self.beats and claimed_on is not None and claimed_on < self.now - ROWLESS_AFTER
            if worker in lost or is_rowless:
                self.stale.append((worker, id_, claim))
                expected[id_] = self.jobs[id_].died()
        assert {row["message_id"]: row["outcome"] for row in SQL.all(self.sql.conn, "worker/rescue")} == expected
        self.beats = {worker: at for worker, at in self.beats.items() if worker not in lost}
        self.alone &= self.beats.keys()

    @rule()
    def expire(self) -> None:
        late = [job for job in self.jobs.values() if job.state == "queued" and job.is_late(self.now)]
        assert SQL.one(self.sql.conn, "job/expire", limit=100) == {"count": len(late)}
        for job in late:
            job.cancel()

    def worker(self, data: st.DataObject) -> UUID:
        worker: UUID = self.draw(data, self.workers)
        if worker not in self.beats:
            self.sql.worker(worker)
            self.beats[worker] = self.beating_since[worker] = self.now
        return worker

    @invariant()
    def the_table_is_what_the_model_says(self) -> None:
        seen = {row.pop("message_id"): row for row in self.sql.rows(SEEN)}
        assert seen == {id_: job.shown() for id_, job in self.jobs.items()}

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        limits, keys = active(self.jobs.values())
        assert all(limits[name] <= most for name, most in LIMITS.items())
        assert all(count <= 1 for (task, _), count in keys.items() if task == "keyed")

    @invariant()
    def a_job_that_must_run_alone_does(self) -> None:
        for worker, id_, _ in self.held():
            if self.jobs[id_].deaths > 1:
                assert sum(other == worker for other, _, _ in self.held()) == 1

    @rule(data=st.data(), want=st.integers(1, 6))
    def claim(self, data: st.DataObject, want: int) -> None:
        worker = self.worker(data)
        before = [job for job in self.jobs.values() if job.state == "consumed"]
        mine = [job for job in before if job.worker == worker]
        if any(job.deaths > 1 for job in mine):
            return  # A worker that holds a suspect does not claim.
        due = [job for job in self.jobs.values() if job.is_due(self.now)]
        apart = [job for job in due if job.deaths > 1 and not is_blocked(job, before, self.paused)]
        others = [job for job in due if job.deaths < 2]
        answer = self.sql.look(worker, want, is_empty=not mine)
        taken = [self.claimed(worker, row) for row in answer if row["kind"] == "job"]
        seen = [job for job in self.jobs.values() if job.state == "queued" and job.run_at <= self.now]
        if not apart and not all(is_paused(job, self.paused) for job in seen):
            self.alone.discard(worker)
        is_the_one = bool(apart) and self.is_the_one(worker, is_empty=not mine)
        if is_the_one and mine:
            *full, last = [row["reason"] for row in answer]
            assert (taken, set(full) | {"concurrency"}, last) == ([], {"concurrency"}, "alone")
            return
        if apart and not mine and (is_the_one or not others or any(job.deaths > 1 for job in taken)):
            assert taken == [min(apart, key=lambda job: (job.run_at, job.seq))]
            assert is_the_one or all(is_blocked(job, before, self.paused) for job in others)
            return
        assert len(taken) <= want
        assert all(job.deaths < 2 for job in taken)
        for left in (job for job in others if job.is_due(self.now)):
            above = [job for job in taken if job.priority >= left.priority]
            assert len(above) == want or is_blocked(left, before + above, self.paused), left
            for job in taken:
                comparable = job.key == left.key if job.task == "keyed" else job.priority == left.priority
                if job.task == left.task and comparable:
                    order = [(-j.priority, j.run_at, j.seq) for j in (job, left)]
                    assert order == sorted(order), (job, left)

    def is_the_one(self, worker: UUID, *, is_empty: bool) -> bool:
        """Say whether a worker may claim jobs of which two workers died; an idle one takes this role from a busy or dead one."""
        if worker in self.alone:
            return True
        busy = {held for held, id_, _ in self.held() if self.jobs[id_].deaths < 2}
        others = {other for other in self.alone if self.beats[other] >= self.now - LOST_AFTER}
        others -= busy if is_empty else set()
        if not others:
            self.alone = {worker}
        return not others

    @precondition(lambda self: self.held())
    @rule(data=st.data(), times=st.integers(1, 3))
    def all_workers_die(self, data: st.DataObject, times: int) -> None:
        """Let all workers die, rescue their jobs and claim jobs again; repeat this ``times`` times."""
        for _ in range(times):
            self.time_passes(21)
            self.rescue()
            self.claim(data, 2)

    @precondition(lambda self: any(job.state == "queued" for job in self.jobs.values()))
    @rule(data=st.data())
    def two_processes_have_died_of_a_job(self, data: st.DataObject) -> None:
        id_ = self.draw(data, [id_ for id_, job in self.jobs.items() if job.state == "queued"])
        self.sql.rows("UPDATE zeke_jobs.queue SET deaths = 2, attempt = 2, attempt_base = 2 WHERE message_id = %s", id_)
        job = self.jobs[id_]
        job.deaths = job.attempt = job.attempt_base = 2
        for _ in range(2):
            self.claim(data, 2)

    def claimed(self, worker: UUID, row: dict[str, Any]) -> JobModel:
        job = self.jobs[row["message_id"]]
        assert job.is_due(self.now), job
        assert f"task/{job.task}" not in self.paused
        job.claimed(worker, self.now)
        assert (row["claim"], row["attempt"], row["task"]) == (job.claim, job.attempt, job.task)
        return job

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def mark_started(self, data: st.DataObject) -> None:
        worker, id_, claim = self.draw(data, self.held())
        self.mark(worker, id_, claim)
        self.jobs[id_].started()

    def mark(self, worker: UUID, id_: UUID, claim: int) -> None:
        self.sql.start(worker, [{"message_id": id_, "claim": claim}])

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        worker = self.draw(data, sorted({held[0] for held in self.held()}))
        mine = [held for held in self.held() if held[0] == worker]
        batch = data.draw(st.lists(st.sampled_from(mine), min_size=1, unique=True))
        claims = [{"message_id": id_, "claim": claim} for _, id_, claim in batch]
        assert sorted(self.sql.complete(worker, claims)) == sorted(id_ for _, id_, _ in batch)
        for _, id_, _ in batch:
            self.jobs[id_].completed()
        self.stale += batch

    @precondition(lambda self: self.held())
    @rule(
        data=st.data(), outcome=st.sampled_from(["retry", "failed", "deferred", "returned", "cancelled"]),
        has_started=st.booleans(), delay=st.sampled_from([0.0, 0.0, 30.0]),
    )  # fmt: skip
    def finish(self, data: st.DataObject, outcome: str, has_started: bool, delay: float) -> None:
        worker, id_, claim = self.draw(data, self.held())
        if has_started and data.draw(st.booleans()):
            self.mark(worker, id_, claim)
            self.jobs[id_].started()
        has_started = has_started or self.jobs[id_].marked
        ended = {"message_id": id_, "claim": claim}
        after = 0.0 if has_started else None
        assert self.sql.finish(worker, ended, outcome, after=after, delay=delay, reason="because")
        self.jobs[id_].finished(outcome, self.now, has_started=has_started, delay=delay, reason="because")
        self.stale.append((worker, id_, claim))

    @precondition(lambda self: self.stale or self.held())
    @rule(data=st.data())
    def a_stale_or_foreign_claim_changes_nothing(self, data: st.DataObject) -> None:
        foreign = [(UUID(int=99), id_, claim) for _, id_, claim in self.held()]
        # The test prefers the most dangerous case: a worker uses an old claim of a job that it has claimed again.
        again = [old for old in self.stale if old[0] == self.jobs[old[1]].worker]
        worker, id_, claim = self.draw(data, again or self.stale + foreign)
        sql, conn, row = self.sql, self.sql.conn, {"message_id": id_, "claim": claim}
        held: dict[str, Any] = {"worker": worker, "id": id_, "claim": claim}
        many = {"ids": [id_], "claims": [claim], "worker": worker}
        lease = {"name": "x", "limit": 9, "worker": worker, "job": id_, "claim": claim}
        ways: dict[str, Callable[[], bool]] = {
            "complete": lambda: sql.complete(worker, [row]) == [],
            "finish": lambda: not sql.finish(worker, row, "failed"),
            "mark": lambda: len(sql.start(worker, [row])) == 1,
            "fence": lambda: not sql.fence(worker, id_, claim, result="null"),
            "progress": lambda: SQL.run(conn, "job/progress", **held, progress="{}") == 0,
            "cost": lambda: SQL.one(conn, "job/add_cost", **many, amounts=[1], currency="USD") is None,
            "step": lambda: not SQL.value(conn, "step/keep", **held, name="one", result="1"),
            "lease": lambda: SQL.only(conn, "lease/take", **lease)["outcome"] == "lost",
            "hand back": lambda: sql.hand_back(worker, [row]) == [id_],
        }
        before, way = sql.rows(ALL), self.draw(data, sorted(ways))
        assert ways[way](), way
        assert sql.rows(ALL) == before, way

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def fence(self, data: st.DataObject) -> None:
        worker, id_, claim = self.draw(data, self.held())
        assert self.sql.fence(worker, id_, claim) != self.jobs[id_].cancelled


@pytest.mark.timeout(3_600 if DEEP else 180)
def test_whatever_happens_the_table_is_what_the_model_says(module_database: str) -> None:
    profile = settings(
        max_examples=1_000 if DEEP else 15,
        stateful_step_count=60 if DEEP else 40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.reuse, Phase.generate, Phase.shrink] if DEEP else [Phase.generate, Phase.shrink],
        print_blob=True,
    )
    with closing(connect(module_database)) as conn:
        Jobs(conn).use(TASKS, TOP)

        stateful.run_state_machine_as_test(partial(World, conn), settings=profile)  # type: ignore[arg-type] # it is called
