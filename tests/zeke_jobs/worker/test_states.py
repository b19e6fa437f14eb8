"""For any sequence of events, the table equals the model, and every limit and fence holds."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.zeke_jobs.worker.conftest import Jobs
from tests.zeke_jobs.worker.model import GATES, TASKS, TOP, is_blocked
from tests.zeke_jobs.worker.state_world import World
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
ALL = "SELECT count(*), md5(string_agg(q::text, '|' ORDER BY q.message_id)) AS rows FROM zeke_jobs.queue AS q"


class Engine(World):
    """Workers that claim, start, end and lose jobs of this world."""

    @rule(data=st.data(), want=st.integers(1, 6))
    def claim(self, data: st.DataObject, want: int) -> None:
        worker = self.worker(data)
        before = [job for job in self.jobs.values() if job.state == "consumed"]
        used = self.rate_used()
        rows = self.check(worker, self.sql.claim(worker, want))
        taken = [self.jobs[row["message_id"]] for row in rows]
        assert len(taken) <= want
        assert all(job.deaths == 0 for job in taken)
        self.passed(rows)

        for left in self.jobs.values():
            if not left.is_due(self.now) or left.deaths:
                continue
            above = [job for job in taken if job.priority >= left.priority]
            assert len(above) == want or is_blocked(left, before + above, used, self.paused, more=above), left
            for job in taken:
                comparable = job.key == left.key if job.task == "keyed" else job.priority == left.priority
                if job.task == left.task and comparable:
                    order = [(-j.priority, j.run_at, j.seq) for j in (job, left)]
                    assert order == sorted(order), (job, left)

    @precondition(lambda self: any(job.deaths and job.state == "queued" for job in self.jobs.values()))
    @rule(data=st.data())
    def claim_alone(self, data: st.DataObject) -> None:
        worker = self.worker(data)
        if any(job.worker == worker for job in self.jobs.values()):
            return
        before = [job for job in self.jobs.values() if job.state == "consumed"]
        used = self.rate_used()
        suspects = [job for job in self.jobs.values() if job.deaths and job.is_due(self.now)]
        free = [job for job in suspects if not is_blocked(job, before, used, self.paused)]
        rows = self.sql.claim_alone(worker, tasks=sorted(GATES))
        taken = [self.jobs[row["message_id"]] for row in self.check(worker, rows)]
        self.passed(rows)
        assert bool(taken) == bool(free)
        if taken:
            first, size = min(job.run_at for job in free), taken[0].group_size
            assert taken[0].run_at == first
            assert len(taken) <= size
            assert all(job in free and job.group_size == size for job in taken)
            left = [job for job in free if job.group_size == size and job not in taken]
            assert len(taken) == size or all(
                is_blocked(job, before + taken, used, self.paused, more=taken) for job in left
            )

    @precondition(lambda self: self.held())
    @rule(data=st.data(), times=st.integers(1, 3))
    def all_workers_die(self, data: st.DataObject, times: int) -> None:
        """And those that take over the first suspect, too."""
        for _ in range(times):
            self.time_passes(21)
            self.rescue()
            self.claim_alone(data)

    def check(self, worker: UUID, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Check every claim's result, and update the model."""
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
        if self.jobs[id_].worker == worker and self.jobs[id_].claim == claim:
            self.counts_from(id_, claim)

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        worker = self.draw(data, sorted({held[0] for held in self.held()}))
        batch = data.draw(
            st.lists(st.sampled_from([h for h in self.held() if h[0] == worker]), min_size=1, unique=True)
        )
        claims = [{"message_id": id_, "claim": claim} for _, id_, claim in batch]
        assert sorted(self.sql.complete(worker, claims)) == sorted(id_ for _, id_, _ in batch)
        for _, id_, claim in batch:
            self.counts_from(id_, claim)
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
        if has_started:
            self.counts_from(id_, claim)
        else:
            self.rated.pop((id_, claim), None)
        self.jobs[id_].finished(outcome, self.now, has_started=has_started, delay=delay, reason="because")
        self.stale.append((worker, id_, claim))

    @precondition(lambda self: self.stale or self.held())
    @rule(data=st.data(), way=st.sampled_from(["complete", "finish", "mark", "hold", "progress"]))
    def a_stale_or_foreign_claim_changes_nothing(self, data: st.DataObject, way: str) -> None:
        foreign = [(UUID(int=99), id_, claim) for _, id_, claim in self.held()]
        # The most dangerous ones first: the same worker holds the same job again, under a later claim.
        again = [old for old in self.stale if old[0] == self.jobs[old[1]].worker]
        worker, id_, claim = self.draw(data, again or self.stale + foreign)
        before = self.sql.rows(ALL)
        match way:
            case "complete":
                assert self.sql.complete(worker, [{"message_id": id_, "claim": claim}]) == []
            case "finish":
                assert not self.sql.finish(worker, {"message_id": id_, "claim": claim}, "failed")
            case "mark":
                self.mark(worker, id_, claim)
            case "hold":
                assert not self.sql.hold(worker, id_, claim, result="null")
            case "progress":
                assert SQL.run(self.sql.conn, "job/progress", worker=worker, id=id_, claim=claim, progress="{}") == 0
        assert self.sql.rows(ALL) == before

    @precondition(lambda self: self.held())
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        worker, id_, claim = self.draw(data, self.held())
        ours = not self.jobs[id_].cancelled
        assert self.sql.hold(worker, id_, claim) == ours


@pytest.mark.timeout(3_600 if DEEP else 180)
def test_whatever_happens_the_table_is_what_the_model_says(module_database: str) -> None:
    profile = settings(
        max_examples=1_000 if DEEP else 25,
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

        run_state_machine_as_test(EngineHere, settings=profile)
