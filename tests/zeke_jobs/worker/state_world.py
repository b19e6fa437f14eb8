"""The base of the stateful test has senders, operators, time, deaths and invariants, but no workers."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from tests.zeke_jobs.worker.model import (
    LIMITS,
    LOST_AFTER,
    PASSES,
    PRIORITY,
    RATE,
    ROWLESS_AFTER,
    SLACK,
    STEP,
    JobModel,
    active,
)
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import set_clock

SEEN = """
  SELECT q.message_id, q.task, q.key, q.priority, q.run_at, q.expires_on, q.state::text, q.attempt, q.attempt_base, q.deaths,
    q.claim, q.worker, q.cancelled_on IS NOT NULL AS cancelled, j.waiting_for, jsonb_array_length(q.attempts) AS entries,
    j.state::text AS status
  FROM zeke_jobs.queue AS q JOIN zeke_jobs.job AS j ON j.id = q.message_id"""
#: A Held has the ids of a worker and of a job, and the claim number.
Held = tuple[UUID, UUID, int]


class World(RuleBasedStateMachine):
    """Senders, operators and time change one table and its model; the clock stands still between steps."""

    def __init__(self, conn: Connection) -> None:
        super().__init__()
        self.sql = Jobs(conn)
        self.sql.rows(
            "TRUNCATE zeke_jobs.queue, zeke_jobs.worker, zeke_jobs.pause, zeke_jobs.bucket_key, zeke_jobs.bucket_change CASCADE"
        )
        self.sql.rows("UPDATE zeke_jobs.bucket SET next_at = '-infinity'")
        self.now: datetime = NOON
        set_clock(conn, self.now)
        # The seed makes the random turns of tasks repeatable.
        self.sql.rows("SELECT setseed(0.5)")
        self.jobs: dict[UUID, JobModel] = {}
        self.workers = [UUID(int=n) for n in range(2)]
        self.beats: dict[UUID, datetime] = {}
        self.beating_since: dict[UUID, datetime] = {}
        self.stale: list[Held] = []
        #: ``rated`` has the claim times of jobs that consumed the rate; ``rate_opens_on`` is the next possible start.
        self.rated: dict[tuple[UUID, int], datetime] = {}
        self.rate_opens_on = datetime.min.replace(tzinfo=NOON.tzinfo)
        #: Processes in ``alone`` wait until they hold no job, and then claim one suspect.
        self.alone: set[UUID] = set()
        self.paused: set[str] = set()

    def held(self) -> list[Held]:
        return [(job.worker, id_, job.claim) for id_, job in self.jobs.items() if job.worker is not None]

    def draw(self, data: st.DataObject, of: list[Any]) -> Any:
        return data.draw(st.sampled_from(of))

    def rate_opens(self) -> bool:
        return self.rate_opens_on <= self.now

    def passed(self, rows: list[dict[str, Any]]) -> None:
        """Consume the rate for claimed jobs."""
        for row in rows:
            if row["task"] == "rated":
                self.rated[row["message_id"], row["claim"]] = self.now
                self.rate_opens_on = max(self.rate_opens_on, self.now - SLACK) + STEP

    def given_back(self, id_: UUID) -> None:
        """Refund the rate for a job that did not start."""
        claimed_on = self.rated.pop((id_, self.jobs[id_].claim))
        self.rate_opens_on -= max(timedelta(), STEP - (self.now - claimed_on))

    @initialize()
    def a_backlog_waits(self) -> None:
        for task in sorted(PASSES):
            for priority in (None, None, 2):
                self.send(task, 1, None, priority, 0, None)

    def send(
        self, task: str, count: int, key: str | None, priority: int | None, delay: int, expires: int | None
    ) -> None:
        said = {"key": key, "priority": priority, "delay": delay or None, "expires": expires}
        options = {name: value for name, value in said.items() if value is not None}
        for _ in range(count):
            id_ = UUID(int=len(self.jobs) + 1)
            assert self.sql.add(task, options=encode({**options, "id": str(id_)})) == [id_]
            self.jobs[id_] = JobModel(
                seq=len(self.jobs),
                task=task,
                key=key or (str(id_) if task == "keyed" else None),
                priority=PRIORITY[task] if priority is None else priority,
                run_at=self.now + timedelta(seconds=delay),
                expires_on=None if expires is None else self.now + timedelta(seconds=expires),
            )

    @rule(
        task=st.sampled_from(sorted(PASSES)), count=st.integers(1, 3), key=st.sampled_from([None, None, "x", "y"]),
        priority=st.sampled_from([None, None, 0, 2]), delay=st.sampled_from([0, 0, 0, 30]),
        expires=st.sampled_from([None, None, None, 45]),
    )  # fmt: skip
    def somebody_sends(self, **said: Any) -> None:
        self.send(**said)

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
        rows = self.sql.rows(
            "SELECT unnest(c.changed) FROM zeke_jobs.change_jobs(%s, jsonb_build_object('id', %s::text), reason => 'not wanted') AS c",
            verb, id_,
        )  # fmt: skip
        return len(rows)

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
        row = SQL.one(self.sql.conn, "worker/heartbeat", worker=worker, busy=busy, revision=1, stopping=False)
        assert row is not None
        assert row["alive"] == (worker in self.beats)
        if worker in self.beats:
            if self.beats[worker] < self.now - LOST_AFTER:
                self.beating_since[worker] = self.now
            self.beats[worker] = self.now
        due = (job for job in self.jobs.values() if job.deaths > 1 and job.is_due(self.now))
        runs_alone = any(self.jobs[id_].deaths > 1 for held, id_, _ in self.held() if held == worker)
        if not runs_alone and all(self.is_paused(job) for job in due):
            self.alone.discard(worker)

    @rule()
    def rescue(self) -> None:
        lost = {worker for worker, at in self.beats.items() if at < self.now - LOST_AFTER}
        # No process counts as lost before another process has lived for LOST_AFTER, as the database may have been down.
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
        row = SQL.one(self.sql.conn, "job/expire", limit=100)
        assert row == {"count": len(late)}
        for job in late:
            job.cancel()

    def worker(self, data: st.DataObject) -> UUID:
        """Choose a worker; register it if it is new or lost."""
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
    def only_active_jobs_have_a_worker_and_only_ended_ones_an_end(self) -> None:
        odd = """SELECT message_id FROM zeke_jobs.queue WHERE (worker IS NOT NULL) <> (state = 'consumed')
          OR (completed_on IS NOT NULL) <> (state IN ('done', 'rejected'))"""
        assert self.sql.rows(odd) == []

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        limits, keys = active(self.jobs.values())
        assert all(limits[name] <= most for name, most in LIMITS.items())
        assert all(count <= 1 for (task, _), count in keys.items() if task == "keyed")
        for start in self.rated.values():
            assert sum(start <= at < start + timedelta(seconds=60) for at in self.rated.values()) <= RATE

    def is_paused(self, job: JobModel) -> bool:
        return not self.paused.isdisjoint({f"task/{job.task}", *(f"limit/{name}" for name in PASSES[job.task])})

    @invariant()
    def a_job_that_must_run_alone_does(self) -> None:
        for worker, id_, _ in self.held():
            if self.jobs[id_].deaths > 1:
                assert sum(other == worker for other, _, _ in self.held()) == 1
