"""Each program in tests/lab runs briefly with real processes. Its figures are correct, and its checks find faults."""

import os
import signal
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from psycopg2.extensions import connection as Connection

from tests.each import cases
from tests.fleet import ROOT, eventually, is_at_work, launch, query, scalar
from tests.lab import server
from tests.lab.bench import bench, ours
from tests.lab.bench.__main__ import MEASURES, main as bench_main
from tests.lab.chaos import proof, world
from tests.lab.chaos.__main__ import SCENARIOS, main as chaos_main
from tests.lab.chaos.proof import Outcome, Run
from tests.lab.endure import Minute, Plan, complaints, endure
from tests.lab.server import Row
from tests.lab.soak.__main__ import Plan as SoakPlan, soak
from tests.lab.soak.checks import complaints as wrong_news
from tests.lab.soak.news import STORY, News
from zeke_jobs import config
from zeke_jobs.postgres.pool import connect


def test_the_bench_runs_thirteen_tasks_with_the_limits_of_the_real_file() -> None:
    tasks = config.load_text(ours.jobs_yaml({}), "jobs.yaml").tasks
    real = yaml.safe_load((ROOT / "jobs.yaml").read_text())["tasks"]
    assert list(tasks) == list(real)
    assert tasks["score-relevance"].concurrency.limit == real["score-relevance"]["concurrency"] == 20
    assert tasks["analyze-story"].uses == ("ai",)
    tasks = config.load_text(ours.jobs_yaml({ours.FREE: {}, "analyze-story": {"concurrency": 64}}), "jobs.yaml").tasks
    assert tasks[ours.FREE].concurrency.limit is None
    assert tasks["analyze-story"].concurrency.limit == 64
    assert not tasks["analyze-story"].uses


def test_a_row_says_whether_its_ratio_or_its_figure_reaches_the_target() -> None:
    ratio = server.middle("ours", [3.0, 1.0, 2.0], [4.0, 4.0, 1.0], against="this", least=0.6)
    found = [ratio, Row("p50", 3.5, "ms", most=4), Row("it failed", None, note="why")]
    assert server.figures({"latency": found}, "a machine").splitlines() == [
        "a machine",
        "",
        "| what | figure | ratio | target | note |",
        "|---|---|---|---|---|",
        "| `latency` |  |  |  |  |",
        "| ours | 2 jobs/s | 0.50 (this) | ≥ 0.6: **missed** |  |",
        "| p50 | 3.5 ms |  | ≤ 4: reached |  |",
        "| it failed | — |  |  | why |",
    ]


@cases(
    "words said",
    (["--server", "/usr/lib", "latency"], "PostgreSQL's initdb, such as /usr/lib/postgresql/15/bin, got /usr/lib"),
    (["drain-unlimted"], f"expected one of {', '.join(MEASURES)}, got drain-unlimted"),
    ids=["server", "measure"],
)
def test_a_wrong_word_is_told_what_is_expected(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench_main(words)
    assert said in " ".join(capsys.readouterr().err.split())


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


ROW = """INSERT INTO zeke_jobs.queue (message_id, queue_name, message, task, state, completed_on, revision)
  VALUES (gen_random_uuid(), 'default', jsonb_build_object('actor_name', 't', 'kwargs', %s::jsonb), 't', %s, now(), 1) RETURNING message_id::text"""


def test_a_lost_job_a_missing_effect_or_child_and_an_effect_too_many_are_seen(conn: Connection) -> None:
    query(conn, "CREATE TABLE effect (job uuid NOT NULL)")

    def add(state: str = "done", payload: str = "{}", effects: int = 1) -> str:
        job = scalar(conn, ROW, payload, state)
        for _ in range(effects):
            query(conn, "INSERT INTO effect VALUES (%s)", job)
        return str(job)

    there = add()
    assert proof.account(conn, [there]).lost == 0
    assert proof.account(conn, [there, "00000000-0000-0000-0000-000000000001"]).lost == 1
    add("consumed", effects=0), add("rejected", effects=0)
    found = proof.account(conn, [there])
    assert (found.sent, found.finished, found.stated, found.lost) == (3, 1, 0, 2)
    assert found.faults == ("2 neither completed nor ended with a reason",)
    add(effects=0), add(payload='{"child": true}')
    assert proof.account(conn, [there]).lost == 4
    assert proof.account(conn, [there]).duplicated == 0
    add(effects=2), add("queued")
    assert proof.account(conn, [there]).duplicated == 2


def test_a_limit_that_was_exceeded_is_seen_also_by_runs_that_died(tmp_path: Path) -> None:
    lines = ["S 0 1 a limited -", "S 1 1 b limited -", "S 1.5 2 c limited -", "E 2 1 a limited -", "E 3 1 b limited -"]
    (tmp_path / "trace").write_text("\n".join([*lines, "S 3.5 3 d other k", "E 4 2 c limited -"]))
    ran = proof.runs(tmp_path / "trace")
    assert ran == [
        Run("a", "limited", "-", 1, 0.0, 2.0), Run("b", "limited", "-", 1, 1.0, 3.0),
        Run("c", "limited", "-", 2, 1.5, 4.0), Run("d", "other", "k", 3, 3.5, None),
    ]  # fmt: skip
    found = proof.peaks(ran, {}, {"limited": "pool"})
    assert found == {"limited": 3, "limited/-": 3, "pool": 3, "other": 0, "other/k": 0}
    assert proof.peaks(ran, {1: [(0.5, 9.0)]}, {})["limited"] == 1, "what was killed did not run on"


def test_rates_leave_out_slow_ends_or_are_medians_and_recovery_is_when_half_is_back() -> None:
    steady = [float(n) for n in range(1, 101)]
    assert bench.rate([-500.0, *steady, 900.0]) == pytest.approx(1.0)
    moments = [n / 10 for n in range(100)] + [15 + n / 10 for n in range(100)]
    assert proof.rate(moments, (0.0, 9.0)) == 10
    assert proof.rate(moments, (9.0, 15.0)) == 0
    assert proof.recovery(sorted([*moments, 12.0, 12.5]), 10.0, 10.0, 25.0) == 5.0
    assert proof.recovery(moments, 10.0, 10.0, 15.5) is None


def test_a_promise_that_was_not_kept_is_in_the_table_and_in_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stall = {"stall": lambda **_: Outcome("much. Required: NOT: all", ["nothing lost"])}
    monkeypatch.setattr("tests.lab.chaos.__main__.SCENARIOS", stall)
    monkeypatch.setattr(server, "end_with_us", lambda: None)
    assert chaos_main(["--quick"]) == 1, "without a name all run"
    said, errors = capsys.readouterr()
    assert "| `stall` | BROKEN | much. Required: NOT: all |" in said
    assert "NOT: nothing lost" in errors


STEADY = Minute(500, 3, 120_000, 60_000_000, 40_000_000)


@cases(
    "minutes said",
    ([STEADY] * 15, []),
    ([STEADY] * 7 + [replace(STEADY, done=440)] + [STEADY] * 7, ["minute 8: 440 jobs a second ended, 500 were sent"]),
    ([replace(STEADY, done=300)] + [STEADY] * 14, []),  # The workers start in the first minute.
    ([replace(STEADY, indexes=n * 10_000_000) for n in range(1, 16)], ["the indexes of jobs grew from 100 to 150 MB in the last third"]),
    ([STEADY] * 3, ["too short to tell whether tables grow: 15 minutes would do"]),
    ids=["steady", "a slower minute", "a slower first minute", "growth to the end", "too short"],
)  # fmt: skip
def test_what_is_not_steady_is_named(minutes: list[Minute], said: list[str]) -> None:
    assert complaints(minutes, Plan(minutes=15)) == said


@pytest.mark.acceptance
@pytest.mark.timeout(120)
def test_a_short_run_sees_each_second_what_was_sent() -> None:
    seen: list[Minute] = []
    with server.start() as started:
        found = endure(started, Plan(minutes=4, rate=20, keep=600, every=2.0), seen.append)
    assert seen == found
    # Jobs sent in the last second may not have ended, but all others have.
    assert all(minute.rows >= minute.done * 2 for minute in found)
    assert found[-1].rows - found[0].rows == pytest.approx(3 * 2 * 20, abs=20)
    assert found[-1].behind <= 20


def test_the_same_seed_publishes_the_same_news_whose_texts_all_differ() -> None:
    one, other = (News([f"http://127.1.0.{n}" for n in range(8)], 10, 7) for _ in range(2))
    assert one.items == other.items
    assert len({tuple(one.text(number)) for number in one.texts}) == len(one.texts)
    assert {item.end for item in one.items.values()} > {STORY, "gone"}


INTERRUPTED = """
import sys, time
from pathlib import Path
from tests.fleet import fleet
from tests.lab.server import end_with_us
end_with_us()
with fleet(Path(sys.argv[1]), "") as beside:
    print(beside.run("python", "-c", "import time; time.sleep(300)").pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_interrupted_leaves_no_server_behind(number: signal.Signals, tmp_path: Path) -> None:
    soaking = launch(tmp_path / "log", sys.executable, "-c", INTERRUPTED, str(tmp_path), cwd=ROOT)
    server = int(eventually(lambda: soaking.text().endswith("\n") and soaking.text()))
    os.killpg(soaking.pid, number)  # Ctrl-C sends the signal to the whole process group.
    soaking.wait(20)
    eventually(lambda: not is_at_work(server), 10)


@pytest.mark.acceptance
@pytest.mark.timeout(240)
def test_whatever_fails_every_item_ends_as_planned_and_every_text_is_one_story(database: str, tmp_path: Path) -> None:
    found = soak(database, tmp_path, SoakPlan(sources=6, items=5, share=0.02, kills=1, seconds=150))
    assert found.complaints == []
    assert found.kills == 1
    assert found.faults > 0
    with closing(connect(database)) as conn:
        query(conn, "UPDATE item_outcomes SET outcome = 'retrying' WHERE outcome = 'stored'")
        said = wrong_news(conn, found.news, 0)
    assert any("items ended otherwise" in each for each in said)
