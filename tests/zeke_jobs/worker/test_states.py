"""For any sequence of events, the table equals the model, and every limit and fence holds."""

import os
from contextlib import closing
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.zeke_jobs.worker.conftest import Jobs
from tests.zeke_jobs.worker.model import LOST_AFTER, TASKS, TOP, is_blocked
from tests.zeke_jobs.worker.state_world import World
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
ALL = "SELECT count(*), md5(string_agg(q::text, '|' ORDER BY q.message_id)) AS rows FROM zeke_jobs.queue AS q"


class Engine(World):
    """Workers claim, start, end and lose jobs of the world."""

    @rule(data=st.data(), want=st.integers(1, 6))
    def claim(self, data: st.DataObject, want: int) -> None:
        worker = self.worker(data)
        before = [job for job in self.jobs.values() if job.state == "consumed"]
        mine = [job for job in before if job.worker == worker]
        if any(job.deaths > 1 for job in mine):
            return  # A worker that holds a suspect does not claim.
        opens = self.rate_opens()
        apart = [
            job
            for job in self.jobs.values()
            if job.deaths > 1 and job.is_due(self.now) and not is_blocked(job, before, self.paused, rate_opens=opens)
        ]
        others = [job for job in self.jobs.values() if job.deaths < 2 and job.is_due(self.now)]
        answer = self.sql.look(worker, want, is_empty=not mine)
        rows = self.check(worker, [row for row in answer if row["kind"] == "job"])
        taken = [self.jobs[row["message_id"]] for row in rows]
        self.passed(rows)
        if not apart and any(
            job.state == "queued" and job.run_at <= self.now and not self.is_paused(job) for job in self.jobs.values()
        ):
            self.alone.discard(worker)
        is_the_one = bool(apart) and self.is_the_one(worker, is_empty=not mine)
        if is_the_one and mine:
            *full, last = [row["reason"] for row in answer]
            assert (taken, set(full) | {"concurrency"}, last) == ([], {"concurrency"}, "alone")
            return
        if apart and not mine and (is_the_one or not others or any(job.deaths > 1 for job in taken)):
            assert taken == [min(apart, key=lambda job: (job.run_at, job.seq))]
            assert is_the_one or all(is_blocked(job, before, self.paused, rate_opens=opens) for job in others)
            return
        assert len(taken) <= want
        assert all(job.deaths < 2 for job in taken)
        assert sum(job.task == "rated" for job in taken) <= opens

        for left in self.jobs.values():
            if not left.is_due(self.now) or left.deaths > 1:
                continue
            above = [job for job in taken if job.priority >= left.priority]
            opens_still = opens and not any(job.task == "rated" for job in taken)
            assert len(above) == want or is_blocked(left, before + above, self.paused, rate_opens=opens_still), left
            for job in taken:
                comparable = job.key == left.key if job.task == "keyed" else job.priority == left.priority
                if job.task == left.task and comparable:
                    order = [(-j.priority, j.run_at, j.seq) for j in (job, left)]
                    assert order == sorted(order), (job, left)

    def is_the_one(self, worker: UUID, *, is_empty: bool) -> bool:
        """Say whether this worker may claim suspects; an empty worker replaces a busy one."""
        if worker in self.alone:
            return True
        busy = {held for held, id_, _ in self.held() if self.jobs[id_].deaths < 2}
        others = {
            other
            for other in self.alone
            if self.beats[other] >= self.now - LOST_AFTER and not (is_empty and other in busy)
        }
        if not others:
            self.alone = {worker}
        return not others

    @precondition(lambda self: self.held())
    @rule(data=st.data(), times=st.integers(1, 3))
    def all_workers_die(self, data: st.DataObject, times: int) -> None:
        """Let all workers die, also the workers that claim next."""
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

    def check(self, worker: UUID, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Check each claimed row, and update the model."""
        for row in rows:
            job = self.jobs[row["message_id"]]
            assert job.is_due(self.now), job
            assert f"task/{job.task}" not in self.paused
            job.claimed(worker, self.now)
            assert (row["claim"], row["attempt"], row["task"]) == (job.claim, job.attempt, job.task)
        return rows

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def mark_started(self, data: st.DataObject) -> None:
        worker, id_, claim = self.draw(data, self.held())
        self.mark(worker, id_, claim)
        self.jobs[id_].started()

    def mark(self, worker: UUID, id_: UUID, claim: int) -> None:
        SQL.all(self.sql.conn, "job/mark_started", worker=worker, ids=[id_], claims=[claim], after=[0.0])

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        worker = self.draw(data, sorted({held[0] for held in self.held()}))
        batch = data.draw(
            st.lists(st.sampled_from([h for h in self.held() if h[0] == worker]), min_size=1, unique=True)
        )
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
        assert self.sql.finish(
            worker, ended, outcome, after=0.0 if has_started else None, delay=delay, reason="because"
        )
        if self.jobs[id_].task == "rated" and not has_started and outcome != "deferred":
            self.given_back(id_)
        self.jobs[id_].finished(outcome, self.now, has_started=has_started, delay=delay, reason="because")
        self.stale.append((worker, id_, claim))

    @precondition(lambda self: self.stale or self.held())
    @rule(
        data=st.data(),
        way=st.sampled_from(
            [*("complete", "finish", "mark", "fence"), *("progress", "cost", "step", "lease", "hand back")]
        ),
    )
    def a_stale_or_foreign_claim_changes_nothing(self, data: st.DataObject, way: str) -> None:
        foreign = [(UUID(int=99), id_, claim) for _, id_, claim in self.held()]
        # The most dangerous claims come first: a worker ends a job by an earlier claim while it holds the job again.
        again = [old for old in self.stale if old[0] == self.jobs[old[1]].worker]
        worker, id_, claim = self.draw(data, again or self.stale + foreign)
        before, conn, held = self.sql.rows(ALL), self.sql.conn, {"worker": worker, "id": id_, "claim": claim}
        match way:
            case "complete":
                assert self.sql.complete(worker, [{"message_id": id_, "claim": claim}]) == []
            case "finish":
                assert not self.sql.finish(worker, {"message_id": id_, "claim": claim}, "failed")
            case "mark":
                self.mark(worker, id_, claim)
            case "fence":
                assert not self.sql.fence(worker, id_, claim, result="null")
            case "progress":
                assert SQL.run(conn, "job/progress", **held, progress="{}") == 0
            case "cost":
                claim_held = {"ids": [id_], "claims": [claim], "worker": worker}
                assert SQL.one(conn, "job/add_cost", **claim_held, amounts=[1], currency="USD") is None
            case "step":
                assert not SQL.value(conn, "step/keep", **held, name="one", result="1")
            case "lease":
                taken = SQL.one(conn, "lease/take", name="x", limit=9, worker=worker, job=id_, claim=claim)
                assert taken is not None
                assert taken["outcome"] == "lost"
            case "hand back":
                assert self.sql.hand_back(worker, [{"message_id": id_, "claim": claim}]) == [id_]
        assert self.sql.rows(ALL) == before

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def fence(self, data: st.DataObject) -> None:
        worker, id_, claim = self.draw(data, self.held())
        ours = not self.jobs[id_].cancelled
        assert self.sql.fence(worker, id_, claim) == ours


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

        class EngineHere(Engine):
            def __init__(self) -> None:
                super().__init__(conn)
                self.sql.rows(
                    "SELECT setseed(.5)"
                )  # Tasks of one priority come in random order, which the seed makes repeatable.

        run_state_machine_as_test(EngineHere, settings=profile)
