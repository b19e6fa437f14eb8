"""These tests cover the output, JSON and exit statuses of the commands for revisions, from ``plan`` to ``reload``."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import HANDLERS, query
from tests.zeke_jobs.commands import Cli, Patch
from tests.zeke_jobs.revisions.conftest import BASE, latest, load, text
from tests.zeke_jobs.sql import change
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs import config
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.core.environment import author
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.revisions.proposal import Request

pytestmark = pytest.mark.usefixtures("file")


@pytest.fixture
def file(tmp_path: Path, database: str, monkeypatch: Patch, cli: Cli) -> Path:
    path = tmp_path / "jobs.yaml"
    path.write_text(text())
    monkeypatch.chdir(tmp_path)
    assert cli("apply", "-m", "first").status == 0
    return path


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def test_a_command_reads_each_configuration_once(file: Path, cli: Cli, monkeypatch: Patch) -> None:
    found: list[str] = []
    real = config.read

    def noted(document: Any, *how: Any) -> Any:
        found.append(json.dumps(document.value))
        return real(document, *how)

    monkeypatch.setattr(config, "read", noted)
    file.write_text(text().replace("concurrency: 5", "concurrency: 6"))
    commands = ["plan", "apply", "check", "set pull.concurrency=4 -m busy --for 1h", "plan", "apply"]
    commands += ["set --clear pull.concurrency", "rollback 1"]
    for command in commands:
        config._read.cache_clear()
        found.clear()
        assert cli(*command.split()).status in (0, 4), command
        assert len(found) == len(set(found)), command


def test_a_plan_has_status_0_without_and_4_with_changes_and_2_for_a_broken_file(cli: Cli, file: Path) -> None:  # fmt: skip
    assert cli("plan").says().splitlines()[-1] == "no change"
    edit(file, "concurrency: 5", "concurrency: 8")
    cli("plan").says("~ task analyze\n    concurrency: 5 → 8\n1 task would change\n", status=4)
    edit(file, '"*/5 * * * *"', '{at: "*/5 * * * *", timezone: Asia/Tokyo}')
    ran = cli("plan", "--json")
    told = {"how": "changed", "kind": "task", "name": "pull", "key": "cron.timezone", "before": "UTC", "after": "Asia/Tokyo"}  # fmt: skip
    assert told in ran.json["changes"]
    assert (ran.status, len(ran.json["fires"][0]["after"])) == (4, 3)
    edit(file, "concurrency: 8, uses", "concurrencyy: 8, uses")
    assert cli("plan").says("jobs.yaml:6:", status=2) == ""


def test_apply_refuses_to_strand_jobs_and_obeys_an_order(cli: Cli, file: Path) -> None:
    zeke_jobs.send("score")
    edit(file, BASE.splitlines()[3].replace("H:", f"{HANDLERS}:"), "")
    cli("apply").says("score: 1 queued", "--drain score", status=2)
    assert cli("apply", "--cancel", "score", "-m", "gone").status == 0
    assert cli("apply", "--rename", "score").status == 2
    assert "one new name for score, got a and b" in cli("apply", "--rename", "score=a", "--rename", "score=b").err


def test_history_tells_who_and_why_and_show_and_diff_what(cli: Cli, file: Path) -> None:
    assert cli("apply").out.endswith("\nnothing to change; revision 1 stays in force\n")
    edit(file, "concurrency: 5", "concurrency: 8")
    assert "revision 2 is in force; no worker runs" in cli("apply", "-m", "more").out
    told = cli("history", "--json").json
    assert [(one["number"], one["why"], one["origin"]) for one in told] == [(2, "more", "apply"), (1, "first", "apply")]
    assert all("@" in one["by"] for one in told)
    assert "more" in cli("history").out
    shown = cli("show", 1).out
    assert (shown.startswith("# revision 1, by apply, since "), shown.endswith(text())) == (True, True)
    assert cli("show", 1, "--json").json["source"] == text()
    assert "concurrency: 5 → 8" in cli("diff", 1).out
    assert "concurrency: 8 → 5" in cli("diff", 2, 1).out
    assert "\n+  analyze:" in cli("diff", 1, "--text").out
    assert cli("diff", 7).status == 2


def test_rollback_makes_a_revision_of_the_old_text_and_what_was_set_then(cli: Cli, file: Path) -> None:
    cli("set", "analyze.concurrency=3", "-m", "slow")
    cli("set", "analyze.concurrency=1", "-m", "slower")
    ran = cli("rollback", 2, "-m", "fine again")
    assert "this file" not in ran.out
    assert "revision 4 is in force" in ran.out
    assert "analyze.concurrency: the file says 5, in force 3" in cli("plan").out
    cli("set", "analyze.concurrency=1", "-m", "incident", "--for", "1h").says(" UTC, then 3: incident\n")
    assert "5 → " not in cli("set", "--clear", "analyze.concurrency").out
    assert "the file says 5, in force 3" in cli("plan").out
    cli("rollback", 1)
    assert cli("history", "--json").json[0]["overrides"] == []


def test_set_names_all_that_is_wrong_and_shows_itself_in_plans_and_what_it_may_clear(cli: Cli) -> None:
    wrong = ["analyze.concurrency=many", "analyze.timeout=5", "pull.cron=*/5 * *", "score.settings.words=one", "score.settings.words=two", "pull.cron.at=12:30"]  # fmt: skip
    ran = cli("set", "analyse.concurrency=3", "pull", *wrong)
    assert ran.status == 2
    assert [line for line in ran.err.splitlines() if line.startswith("error: ")] == [
        "error: analyze.concurrency=many: expected a whole number or a mapping, got 'many'",
        "error: analyze.timeout=5: expected a duration such as 30s, 5m or 1h30m, got 5",
        "error: pull.cron=*/5 * *: expected five fields (minute, hour, day of month, month, day of week), got 3",
        "error: score.settings.words=one: expected a list, got 'one'",
        "error: expected TASK.KEY=VALUE, limits.NAME.KEY=VALUE or services.NAME.KEY=VALUE, got 'analyse.concurrency'",
        "error: expected KEY=VALUE, got 'pull'",
        "error: expected each key once, got score.settings.words again",
        "error: pull.cron.at=12:30: expected text in quotes, got a bare 12:30, which YAML reads as a number in base 60",
    ]
    assert cli("set", "analyze.concurrency=4").status == 0
    assert f"# set by hand: analyze.concurrency = 4 ({author()})\n" in cli("show", 2).out
    cli("set", "analyze.concurrency=3", "-m", "x", "--for", "0s").says("--for a time that passes, got 0s", status=2)
    cli("set", "analyze.concurrency=3", "limits.ai.rate=30/m", "-m", "model is slow", "--for", "2h").says()
    parts = ("set by hand\n    analyze.concurrency = 3, by ", "until ", ": model is slow\n")
    cli("plan").says(*parts, "limits.ai.rate: the file says none, in force 30/m")
    set_ = "set by hand (analyze.concurrency, limits.ai.rate), got 'pull.concurrency'"
    cli("set", "--clear", "pull.concurrency").says(set_, status=2)


def worker(conn: Connection, **columns: Any) -> None:
    Jobs(conn).worker(**{"host": "a", "pid": 7, "tasks": [], **columns})


def test_fleet_lists_who_runs_and_where_one_drifts(cli: Cli, conn: Connection, file: Path) -> None:
    worker(conn)
    worker(conn, host="b", queues=["other"])
    assert [(one["host"], one["drift"]) for one in cli("fleet", "--json").json["members"]] == [("a", []), ("b", [])]
    edit(file, "concurrency: 5", "concurrency: 8")
    query(conn, "UPDATE zeke_jobs.worker SET refusal = 'no module x', queues = '{other}'")
    assert cli("apply").status == 1  # The workers of this test do not follow revisions.
    query(conn, "UPDATE zeke_jobs.worker SET revision = 2 WHERE host = 'b'")
    shown = cli("fleet").says("no worker consumes queue default")
    for once in ("runs by revision 1: no module x", "its file is that of revision 1; it changes nothing"):
        assert shown.count(once) == 1
    query(conn, "DELETE FROM zeke_jobs.worker")
    worker(conn, kind="scheduler")
    for drift in ([], ["its file is that of revision 1; it changes nothing unless applied"]):
        [member] = cli("fleet", "--json").json["members"]
        assert (member["revision"], member["drift"]) == (2, drift)
        query(conn, "UPDATE zeke_jobs.worker SET revision = 2")
    query(conn, "DELETE FROM zeke_jobs.worker")
    worker(conn, kind="scheduler", lost_after=timedelta(minutes=3), revision=2, file_revision=2)
    drifts = [[], ["no heartbeat: it has ended, or hangs"], ["no heartbeat: it counts as lost"]]
    for passed, drift in zip((1, 1, 2), drifts, strict=True):
        query(conn, f"UPDATE zeke_jobs.worker SET heartbeat_on = heartbeat_on - interval '{passed} min'")
        assert cli("fleet", "--json").json["members"][0]["drift"] == drift


def test_a_change_exits_with_1_if_a_workers_code_does_not_fit(cli: Cli, conn: Connection, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.cli.configuration.apply._PATIENCE", 0.0)
    worker(conn)
    for revision, refusal, passed, status, said in (
        (2, "no module x", 0, 1, "; 0 of 1 workers follow\na (pid 7): runs by revision 1: no module x\n"),
        (3, None, 0, 0, "; 0 of 1 workers follow\na (pid 7): runs by revision 1: it follows within two seconds\n"),
        (4, None, 15, 0, "; no worker runs\n"),  # The worker was killed just now, and its row still exists.
        (5, "no module x", 30, 0, "; no worker runs\n"),
    ):
        beaten = "heartbeat_on = zeke_jobs.now() - %s * interval '1 s'"
        query(conn, f"UPDATE zeke_jobs.worker SET refusal = %s, {beaten}", refusal, passed)
        shown = cli("set", f"analyze.concurrency={revision + 10}", "-m", "slow").says(status=status)
        assert shown.endswith(f"revision {revision} is in force{said}")


def test_compare_shows_how_jobs_did_under_two_revisions(cli: Cli, conn: Connection) -> None:
    def ended(seconds: float, state: str) -> None:
        times = f"started_on = clock_timestamp(), completed_on = clock_timestamp() + {seconds} * interval '1 s'"
        change(conn, zeke_jobs.send("analyze").id, f"state = '{state}', attempt = 1, {times}")

    ended(2.0, "done")
    ended(2.0, "rejected")
    cli("set", "analyze.concurrency=3", "-m", "slow")
    assert cli("compare", 1).out.endswith("revision 2: no job has ended that started under it\n")
    ended(9.0, "done")
    first, second = cli("compare", 1, "--json").json
    assert (first["revision"], first["jobs"], first["failed"], round(first["takes_p50"])) == (1, 2, 1, 2)
    assert (second["revision"], second["jobs"], second["failed"], round(second["takes_p50"])) == (2, 1, 0, 9)
    assert "50.0%" in cli("compare", 1).out
    assert "expected a revision (1 to 2), got 9" in cli("compare", 9).err


def test_reload_checks_first_and_only_then_signals_and_no_stranger(cli: Cli, file: Path, tmp_path: Path) -> None:
    program = tmp_path / "zeke-jobs"
    program.write_text("import signal\nprint('up', flush=True)\nsignal.sigwait([signal.SIGHUP])\n")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE) as process:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
        assert process.stdout is not None
        process.stdout.readline()
        (tmp_path / "pid").write_text(f"{process.pid}\n")
        good = file.read_text()
        file.write_text("version: 2\n")
        assert (cli("reload", "pid").status, process.poll()) == (2, None)
        file.write_text(good)
        assert (cli("reload", "pid").status, process.wait(10)) == (0, 0)
    for stranger in ("nothing.pid", "1", os.getpid()):
        cli("reload", stranger).says("expected", status=2)


@pytest.mark.parametrize("keys", [["analyze.timeout=9m", "-m", "slow"], ["--clear", "analyze.concurrency"]])
def test_set_works_on_what_is_in_force(cli: Cli, conn: Connection, other_conn: Connection, keys: list[str]) -> None:
    cli("set", "analyze.concurrency=3", "-m", "slow")
    newer = load(BASE.replace("words: [one, two]", "words: [one]"))
    last = latest(conn)
    hand = [*last.overrides, replace(last.overrides[0], path=("tasks", "pull", "timeout"), value="7m")]
    command = threading.Thread(target=run, args=(app, "zeke-jobs", ["set", *keys]))
    with transaction(conn):
        SQL.run(conn, "revision/lock")
        applying.apply_locked(conn, Request(newer, "ann", overrides=hand))
        command.start()
        with other_conn.cursor() as cursor:
            while not cursor.rowcount > 0:
                assert command.is_alive()
                cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
    command.join(30)
    after = latest(conn)
    assert (after.number, after.source) == (last.number + 2, newer.text)
    assert ("tasks", "pull", "timeout") in [one.path for one in after.overrides]
