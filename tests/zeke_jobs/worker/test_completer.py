"""The retry policy decides a job's outcome. The process keeps it until it is committed, despite failures and locks."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import dramatiq
import psycopg2
import pytest
from hypothesis import example, given, strategies as st
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

from tests.waiting import eventually
from tests.zeke_jobs.sql import change, rows
from tests.zeke_jobs.worker.conftest import Jobs, Patch, a_claim
from zeke_jobs.config.models import Retry as Policy
from zeke_jobs.errors import Defer, Reject, Retry
from zeke_jobs.postgres.pool import Pool, connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.claim.held_jobs import HeldJobs
from zeke_jobs.worker.finish import writer
from zeke_jobs.worker.finish.completer import Completer
from zeke_jobs.worker.finish.outcome import RETURNED, Outcome, backoff, describe, of_exception, of_shutdown
from zeke_jobs.worker.finish.writer import columns
from zeke_jobs.worker.run.reports import Shared


class Flaky(Pool):
    """The next ``failures`` connections of this pool fail; the next ``read_only`` ones refuse to write."""

    failures = 0
    read_only = 0

    @contextmanager
    def connection(self) -> Iterator[Any]:
        if self.failures:
            self.failures -= 1
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        with super().connection() as conn:
            if self.read_only:
                self.read_only -= 1
                conn.cursor().execute("SET default_transaction_read_only = on")
            yield conn


class Scene:
    def __init__(self, jobs: Jobs, url: str) -> None:
        self.jobs = jobs
        self.pool = Flaky(url)
        self.held = HeldJobs(4)
        self.worker = jobs.worker()
        runtime: Any = SimpleNamespace(revision=1)
        self.completer = Completer(Shared(self.worker, runtime, self.pool, self.pool), self.held)

    def claim(self, count: int = 1) -> list[Claim]:
        self.jobs.add("a", count)
        rows = self.jobs.claim(self.worker, count)
        return self.held.accept([(a_claim(row["message_id"], row["claim"], "a"), True) for row in rows])

    def complete_without_flush(self, claims: list[Claim]) -> None:
        """Complete jobs as the producer does in the statement of its next claim; the outcomes are flushed to disk later."""
        done = [(claim, Outcome("completed")) for claim in claims]
        SQL.all(self.jobs.conn, "job/end", to="completed", worker=self.worker, **columns(done))
        self.completer.flush_soon(done)

    def settle(self) -> None:
        """Run the completer's thread until all outcomes are written."""
        self.completer.thread.start()
        self.completer.close(30.0)
        assert len(self.held) == 0

    def states(self, claims: list[Claim]) -> list[str]:
        return [self.jobs.row(claim.id)["state"] for claim in claims]


@pytest.fixture
def scene(jobs: Jobs, database: str) -> Iterator[Scene]:
    jobs.use("  a: {handler: 'H:echo', retry: {limit: 2}}")
    scene = Scene(jobs, database)
    yield scene
    scene.pool.close()


def test_a_completion_that_a_crash_undid_is_written_again_and_one_of_a_job_others_have_is_lost(scene: Scene) -> None:
    kept, undone, lost = claims = scene.claim(3)
    scene.complete_without_flush([kept, undone])
    change(scene.jobs.conn, undone.id, f"state = 'consumed', worker = '{scene.worker}', completed_on = NULL")
    change(scene.jobs.conn, lost.id, "worker = gen_random_uuid(), claim = claim + 1")
    scene.completer.put(lost, Outcome("completed"))
    scene.pool.failures = 1
    with capture_logs() as lines:
        scene.settle()
    assert scene.states(claims) == ["done", "done", "consumed"]
    warned = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert "outcomes wait for the database" in warned
    assert [line["outcome"] for line in lines if "no longer ours" in line["event"]] == ["completed"]


def test_a_completion_is_forgotten_only_when_it_is_on_disk(scene: Scene) -> None:
    scene.jobs.rows("SET synchronous_commit = off")
    scene.complete_without_flush(scene.claim())
    [written] = scene.jobs.rows("SELECT pg_current_wal_insert_lsn() AS at")
    scene.settle()
    assert scene.jobs.rows("SELECT 1 WHERE pg_current_wal_flush_lsn() >= %s", written["at"])


def test_an_output_that_exceeds_a_limit_of_postgres_fails_its_job(scene: Scene, monkeypatch: Patch) -> None:
    def refuse(*_: object) -> set[UUID]:
        raise psycopg2.errors.ProgramLimitExceeded("row is too big")

    monkeypatch.setattr(writer, "_end_all", refuse)
    (claim,) = scene.claim()
    scene.completer.put(claim, Outcome("completed"))
    scene.settle()
    assert scene.states([claim]) == ["rejected"]
    assert scene.jobs.row(claim.id)["attempts"][-1]["error"]["message"] == "row is too big"


def test_an_end_of_a_locked_row_is_told_once_and_written_later(scene: Scene, database: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.finish.completer._HELD_UP", 0.1)
    locked, failed, free = claims = scene.claim(3)
    with capture_logs() as lines, closing(connect(database)) as other:
        rows(other, "BEGIN")
        rows(other, "SELECT FROM zeke_jobs.queue WHERE message_id <> %s FOR UPDATE", free.id)
        for claim in claims:
            scene.completer.put(claim, Outcome("failed" if claim is failed else "completed"))
        scene.completer.thread.start()
        eventually(lambda: scene.states(claims) == ["consumed", "consumed", "done"], 10)
        assert scene.held.find(locked.id) is locked
        time.sleep(0.5)  # The completer tries several times.
        rows(other, "ROLLBACK")
        scene.completer.close(30.0)
    assert scene.states(claims) == ["done", "rejected", "done"]
    told = [line["job_id"] for line in lines if "written later" in line["event"]]
    assert sorted(told) == sorted([str(locked.id), str(failed.id)])


def test_many_that_are_handed_back_go_back_together_started_or_not_but_for_the_cancelled(scene: Scene) -> None:
    claims = scene.claim(5)
    cancelled: UUID = claims[2].id
    scene.jobs.rows("UPDATE zeke_jobs.queue SET cancelled_on = now() WHERE message_id = %s", cancelled)
    claims[1].started = claims[1].received
    for claim in claims:
        scene.completer.put(claim, of_shutdown(Policy()) if claim.started else RETURNED)
    scene.settle()
    assert scene.states(claims) == ["queued", "queued", "rejected", "queued", "queued"]
    rows = [scene.jobs.row(claim.id) for claim in claims if claim.id != cancelled]
    assert {(row["worker"], row["attempt"], row["attempts"] == []) for row in rows} == {(None, 0, True)}


@pytest.mark.parametrize("kind", ["failures", "read_only"])
def test_an_outage_changes_no_outcome_and_ends_no_process(scene: Scene, monkeypatch: Patch, kind: str) -> None:
    killed: list[int] = []
    monkeypatch.setattr("zeke_jobs.worker.finish.completer.os.kill", lambda _pid, number: killed.append(number))
    done, failed = claims = scene.claim(2)
    scene.completer.put(done, Outcome("completed", '"x"'))
    failed.started = failed.received
    scene.completer.put(failed, Outcome("failed", reason="broken"))
    setattr(scene.pool, kind, 2)
    with capture_logs() as lines:
        scene.settle()
    assert killed == []
    assert scene.states(claims) == ["done", "rejected"]
    assert {line["event"] for line in lines if line["log_level"] != "info"} == {"outcomes wait for the database"}


def test_a_connection_that_breaks_between_two_ends_hides_none(scene: Scene, monkeypatch: Patch) -> None:
    told: list[set[str]] = []
    scene.completer.on_written = told.append
    first, second = claims = scene.claim(2)
    end, broken = writer._end, [second.id]

    def breaks(conn: Connection, worker: UUID, claim: Claim, *said: Any) -> set[UUID]:
        if claim.id in broken:
            broken.clear()
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return end(conn, worker, claim, *said)

    monkeypatch.setattr(writer, "_end", breaks)
    for claim in (first, second):
        claim.started = claim.received
        scene.completer.put(claim, Outcome("failed", reason="broken"))
    scene.settle()
    assert scene.states(claims) == ["rejected", "rejected"]
    assert told == [{"a"}, {"a"}]


POLICY = Policy(limit=2, delay=timedelta(seconds=1), factor=2.0, max_delay=timedelta(minutes=1), jitter=0.1)


@given(st.floats(1, 100), st.floats(0, 1e9), st.floats(0, 1e9), st.integers(1, 5000), st.floats(0, 1), st.floats(0, 1))
@example(1.1, 1, 600, 66, 0, 0)
@example(1.1, 1, 600, 1001, 0, 0)
@example(100, 0, 600, 1001, 1, 1)
def test_a_backoff_is_the_formula_of_jobs_yaml_never_negative_and_never_beyond_its_maximum(
    factor: float, delay: float, longest: float, retry: int, jitter: float, chance: float
) -> None:
    said: dict[str, Any] = {"delay": timedelta(seconds=delay), "max_delay": timedelta(seconds=longest)}
    policy = Policy(factor=factor, jitter=jitter, **said)
    exact = Fraction(policy.delay.total_seconds()) * Fraction(factor) ** (retry - 1)
    promised = min(Fraction(policy.max_delay.total_seconds()), exact)
    assert backoff(policy, retry, chance=0.5) == pytest.approx(float(promised), rel=1e-9)
    assert 0 <= backoff(policy, retry, chance=chance) <= policy.max_delay.total_seconds()


class HostBusy(Retry):
    def __init__(self) -> None:
        super().__init__(60, "the host is busy", limit=20)


class NotAPage(Reject): ...


def test_an_exception_decides_about_retries_also_beyond_the_policy_and_may_do_so_by_its_type() -> None:
    assert of_exception(Retry(5, "no connection", limit=9), POLICY, retries=8).how == "retry"
    assert of_exception(Retry(5, "no connection", limit=9), POLICY, retries=9).how == "failed"
    assert of_exception(Retry(5, "once is enough", limit=0), POLICY, retries=0).how == "failed"
    with pytest.raises(ValueError, match="expected a limit of retries of at least 0, got -1"):
        Retry(limit=-1)
    assert of_exception(HostBusy(), POLICY, retries=19).delay == 60
    assert of_exception(dramatiq.Retry("later", delay=1500), POLICY, retries=0).delay == 1.5
    assert of_exception(NotAPage("it is a picture"), POLICY, retries=0).how == "failed"
    assert describe(HostBusy())["type"] == "HostBusy"
    until = datetime(2026, 1, 1, tzinfo=UTC)
    assert of_exception(Defer(until, "budget"), POLICY, retries=9) == Outcome("deferred", until=until, reason="budget")
