"""Some scenarios of the chaos suite run briefly on real processes, and tests show that the proofs can fail."""

from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from tests.fleet import query, scalar
from tests.lab.chaos import proof, world
from tests.lab.chaos.__main__ import main
from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.proof import Run
from tests.lab.chaos.scenarios import SCENARIOS

#: A busy machine may break promises that contain a text of _OF_TIME.
_OF_TIME = ("throughput", "recovery", "return in")


@pytest.mark.acceptance
@pytest.mark.timeout(240)
@pytest.mark.parametrize("scenario", ["strike", "use-up-connections"])
def test_what_the_suite_breaks_loses_nothing(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(world.PHASE, True, (0.0, 0.5))
    found = SCENARIOS[scenario](quick=True)
    assert [text for text in found.broken if not text.startswith(_OF_TIME)] == []
    jobs = found.account
    assert (jobs.lost, jobs.duplicated) == (0, 0)
    assert jobs.sent == jobs.finished + jobs.stated > 100


TABLES = "CREATE TABLE effect (job uuid NOT NULL)"
ROW = """INSERT INTO zeke_jobs.queue (message_id, queue_name, message, task, state, completed_on, revision)
  VALUES (gen_random_uuid(), 'default', jsonb_build_object('actor_name', 't', 'kwargs', %s::jsonb), 't', %s, now(), 1) RETURNING message_id::text"""


def add(conn: Connection, state: str = "done", payload: str = "{}", effects: int = 1) -> str:
    job = scalar(conn, ROW, payload, state)
    for _ in range(effects):
        query(conn, "INSERT INTO effect VALUES (%s)", job)
    return str(job)


@pytest.fixture
def accounted(conn: Connection) -> Connection:
    query(conn, TABLES)
    return conn


def test_a_lost_job_is_seen(accounted: Connection) -> None:
    there = add(accounted)
    assert proof.account(accounted, [there]).lost == 0
    assert proof.account(accounted, [there, "00000000-0000-0000-0000-000000000001"]).lost == 1
    add(accounted, "consumed", effects=0)
    found = proof.account(accounted, [there])
    assert (found.sent, found.finished, found.stated, found.lost) == (2, 1, 0, 1)
    assert found.faults == ("1 neither completed nor ended with a reason (t consumed)",)


def test_a_completion_without_its_effect_or_child_is_seen(accounted: Connection) -> None:
    jobs = [add(accounted, effects=0), add(accounted, payload='{"child": true}')]
    assert proof.account(accounted, jobs).lost == 2


def test_an_effect_that_is_there_twice_or_without_its_job_is_seen(accounted: Connection) -> None:
    jobs = [add(accounted, effects=2), add(accounted, "queued")]
    assert proof.account(accounted, jobs).duplicated == 2


def test_a_limit_that_was_exceeded_is_seen() -> None:
    ran = [
        Run("a", "limited", "-", 1, 0.0, 2.0),
        Run("b", "limited", "-", 1, 1.0, 3.0),
        Run("c", "limited", "-", 2, 2.0, 4.0),
    ]
    assert proof.peaks(ran, {})["limited"] == 2
    assert proof.peaks(ran, {1: [(0.5, 9.0)]})["limited"] == 1, "what was killed did not run on"
    assert proof.peaks(ran, {}, {"limited": "pool"})["pool"] == 2
    assert proof.repeats([*ran, ran[0]]) == 1


def test_a_trace_tells_what_died_in_mid_run(tmp_path: Path) -> None:
    (tmp_path / "trace").write_text("S 1.0 7 a t -\nS 2.0 7 b t k\nE 3.0 7 a t -\n")
    assert proof.runs(tmp_path / "trace") == [Run("a", "t", "-", 7, 1.0, 3.0), Run("b", "t", "k", 7, 2.0, None)]


def test_rates_are_medians_and_recovery_is_when_half_is_back() -> None:
    moments = [n / 10 for n in range(100)] + [15 + n / 10 for n in range(100)]
    assert proof.rate(moments, (0.0, 9.0)) == 10
    assert proof.rate(moments, (9.0, 15.0)) == 0
    assert proof.recovery(moments, 10.0, 10.0, 25.0) == 5.0
    assert proof.recovery(moments, 10.0, 10.0, 15.5) is None


def test_a_promise_that_was_not_kept_is_in_the_table_and_in_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = Outcome("stall", "much", ("10 → — → 9", "", "", "", ""), [("nothing lost", False)])
    monkeypatch.setitem(SCENARIOS, "stall", lambda **_: row)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["stall", "--quick"]) == 1
    said = capsys.readouterr().out
    assert "| `stall` | 10 → — → 9 |" in said
    assert "- `stall`: much. Required: NOT: nothing lost." in said
    assert "BROKEN" in said
    assert Outcome("stall", skipped="it needs root").required() == "skipped: it needs root"
