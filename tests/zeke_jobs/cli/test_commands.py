"""Commands send, query and change jobs. These tests cover their answers, JSON, exit statuses and errors."""

import io
import json
import uuid
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import Field

import zeke_jobs
from tests.each import each
from tests.fleet import query
from tests.zeke_jobs.commands import Cli, MakeTask, Patch
from tests.zeke_jobs.sql import change
from zeke_jobs.client.many import Change

pytestmark = pytest.mark.usefixtures("tasks")
ONE, OTHER = uuid.UUID("01a21ebc-c810-7bd9-9f0b-58022d06086d"), uuid.UUID("01a21ebc-c1cb-7f4d-a4c6-b212d8d85016")
TRACEBACK = 'Traceback (most recent call last):\n  File "greet.py", line 4, in greet\n    raise ValueError("boom")\nValueError: boom\n'


class Oneoff(zeke_jobs.Payload):
    url: str
    depth: int = 1
    tags: list[str] = Field(default_factory=list)


@pytest.fixture
def tasks(make_task: MakeTask) -> None:
    make_task("ingest-oneoff", Oneoff, aliases=["oneoff"], definition='{"concurrency": {"limit": 2}, "max_wait": "1m"}')
    make_task("pull", None, cron='{"at": "*/5 * * * *"}')


def test_a_payload_is_given_as_fields_or_json_or_standard_input(cli: Cli, monkeypatch: Patch) -> None:
    options = ("--priority", 5, "--delay", "1h")
    ran = cli("send", "oneoff", "url=123", "depth=2", 'tags=["a"]', *options, "--json")
    assert (ran.status, ran.json["task_id"]) == (0, "ingest-oneoff")
    job = zeke_jobs.status(ran.json["id"])
    assert (job.data, job.priority) == ({"url": "123", "depth": 2, "tags": ["a"]}, 5)
    assert (job.run_at - job.created_on).total_seconds() == 3600
    monkeypatch.setattr("sys.stdin", io.StringIO('{"url": "from stdin"}'))
    assert cli("send", "oneoff", '{"url": "u"}').out.endswith("sent: ingest-oneoff\n")
    assert cli("send", "oneoff", "-").status == 0
    assert [job.data["url"] for job in zeke_jobs.jobs()] == ["from stdin", "u", "123"]


def test_a_send_estimates_units_and_an_option_of_zero_is_sent(cli: Cli, conn: Connection) -> None:
    units = "('limit/ai', 'tokens', 1000, '1 min'), ('limit/ai', 'pages', 2, '1 min')"
    query(conn, f"INSERT INTO zeke_jobs.bucket (name, unit, amount, period) VALUES {units}")
    query(conn, "UPDATE zeke_jobs.task SET limits = '{limit/ai}', retry_limit = 3 WHERE id = 'pull'")
    assert cli("send", "pull", "--units", "tokens=900", "--units", "pages=1.5", "--retries", 0).status == 0
    sent = query(conn, "SELECT q.extra -> 'units', j.retry_limit FROM zeke_jobs.queue AS q, zeke_jobs.job AS j")
    assert sent == [({"tokens": 900, "pages": 1.5}, 0)]


def test_a_send_that_waits_times_out_and_a_second_one_says_that_the_job_was_there(cli: Cli) -> None:
    ran = cli("send", "pull", "--idempotency-key", "k", "--timeout", "10ms")
    assert ran.status == 1
    (job,) = zeke_jobs.jobs()
    assert ran.err.endswith(f"to end within 0.01 s, got created still\n  help: zeke-jobs why {job.id}\n")
    cli("send", "pull", "--idempotency-key", "k").says("was there already: pull, created")


@each(
    "arguments message",
    (["send", "onof", "url=u"], "error: expected the name of a task, got 'onof'; did you mean 'oneoff'?"),
    (["send", "oneoff", "ulr=u"], "error: payload of ingest-oneoff does not fit:\n  ulr: expected a field of the payload"),
    (["send", "oneoff", "depth=x", "url=u"], "depth: expected a whole number, got 'x'"),
    (["send", "oneoff", "url"], "error: expected field=value or a JSON object, got 'url'"),
    (["send", "oneoff", "{url}"], "got a fault in it"),
    (["send", "pull", "--delay", "soon"], "expected a duration such as 30s, 5m or 1h30m, got 'soon'"),
    (["send", "pull", "--units", "tokens"], "expected --units as unit=amount, such as tokens=900, got 'tokens'"),
    (["send"], "error: missing argument"),
    (["send", "pull", "--dealy", "1s"], "error: no such option"),
    (["status", "7"], "expected at least 4 characters of a job's id, got '7'"),
    (["why", "pull"], "expected a job's id, its beginning or its end, got 'pull'"),
    (["jobs", "--status", "done"], "expected a status (created, retry"),
    (["retry"], "expected ids, or filters (--task, --status, --newer, --older, --key, --error, --queue, --parent, --batch), got neither"),
    (["retry", str(uuid.uuid4()), "--task", "pull"], "got both"),
    (["prioritise", "--task", "pull", "--priority", "99999999999"], "expected priority of -100 to 100, got 99999999999"),
    (["up", "--port", "3001"], "expected --port with --dashboard, whose port it is, got --port alone"),
    (["nope"], "error: no such command 'nope'"),
)  # fmt: skip
def test_a_users_mistake_is_one_message_and_status_2(cli: Cli, arguments: list[str], message: str) -> None:
    ran = cli(*arguments)
    assert (ran.says(message, status=2), ran.err[:7], "Traceback" in ran.err) == ("", "error: ", False)
    assert list(zeke_jobs.jobs()) == []


def test_status_shows_the_job_its_attempts_and_what_it_sent(cli: Cli, conn: Connection, make_task: MakeTask) -> None:
    sent = zeke_jobs.send("oneoff", {"url": "https://example.org/[a]"}, key="x")
    child = zeke_jobs.send("pull", parent=sent.id)
    attempts = '[{"attempt": 1, "outcome": "failed", "ended_on": "2026-01-02T03:04:05", "error": {"type": "OSError", "message": "no route"}}]'
    change(conn, sent.id, f"state = 'rejected', attempt = 1, attempts = '{attempts}', completed_on = now()")
    said = (f"{sent.id}", "failed · OSError: no route", '{"url": "https://example.org/[a]"}')
    shown = cli("status", sent.id).says(*said)
    assert [part in shown for part in ("\n  key       x\n", f"{child.id} pull created")] == [True] * 2
    assert "  attempt 1: failed: OSError: no route\n" in shown
    found = cli("status", sent.id, "--json").json
    assert (found["id"], found["status"], found["data"]) == (str(sent.id), "failed", {"url": "https://example.org/[a]"})
    assert found["children"] == [{"id": str(child.id), "task_id": "pull", "status": "created"}]
    make_task("per-key", None, per_key=1)
    assert "\n  key " not in cli("status", zeke_jobs.send("per-key").id).out, "none was sent"


def test_jobs_are_listed_and_filtered(cli: Cli, conn: Connection) -> None:
    first = zeke_jobs.send("oneoff", {"url": "u"})
    second = zeke_jobs.send("pull", parent=first.id, delay=3600)
    change(conn, first.id, "state = 'consumed', cancelled_on = now()")
    shown = cli("jobs").says("being cancelled", "not before")
    assert [line.split()[0] for line in shown.splitlines()] == ["id", str(second.id), str(first.id)]
    of_second = (f"--parent {first.id}", "--newer 1h --limit 1")
    for filters, job in {"--task oneoff": first, "--status active": first, **dict.fromkeys(of_second, second)}.items():
        (only,) = cli("jobs", "--json", *filters.split()).json
        assert only["id"] == str(job.id)
    assert cli("jobs", "--older", "1h").out == "no such jobs\n"


def test_tasks_are_listed_with_their_jobs_limit_and_cron(cli: Cli, conn: Connection) -> None:
    zeke_jobs.send("oneoff", {"url": "u"})
    change(conn, zeke_jobs.send("pull").id, "state = 'consumed'")
    oneoff, pull = cli("tasks", "--json").json
    assert (oneoff["id"], oneoff["queued"], oneoff["active"], oneoff["limit"]) == ("ingest-oneoff", 1, 0, 2)
    assert (pull["id"], pull["queued"], pull["active"], pull["cron"]) == ("pull", 0, 1, "*/5 * * * *")
    assert (pull["timezone"], oneoff["max_wait"], "on_failed" in oneoff) == ("UTC", "1m", True)
    _, first, second = cli("tasks").says("  */5 * * * * (UTC)").splitlines()  # A count of 0 is not shown.
    assert (first.split()[:3], second.split()[:3]) == (["ingest-oneoff", "1", "2"], ["pull", "1", "*/5"])
    change(conn, zeke_jobs.send("oneoff", {"url": "v"}).id, "state = 'rejected', cancelled_on = zeke_jobs.now()")
    change(conn, zeke_jobs.send("oneoff", {"url": "w"}).id, "state = 'rejected'")
    assert cli("tasks", "--json").json[0]["failed"] == 1, "a cancelled job has not failed"


def test_cancel_says_what_it_did_and_exits_with_1_where_it_could_not(cli: Cli) -> None:
    sent = zeke_jobs.send("pull")
    ran = cli("cancel", sent.id, "--reason", "not needed")
    assert (ran.status, ran.out) == (0, f"{sent.id}: cancelled before it started\n")
    cli("status", sent.id, "--wait").says("cancelled · Cancelled: not needed", status=1)
    again = cli("cancel", sent.id, "--json")
    assert (again.status, again.json[0]["changed"]) == (1, False)
    queued = zeke_jobs.send("pull")
    assert cli("cancel", queued.id, "01900000-0000-7000-8000-000000000000").status == 1
    assert zeke_jobs.status(queued.id).status == "created", "none is changed if one is unknown"


def test_retry_works_by_id_and_by_filter_also_after_the_task_left_the_file(cli: Cli, conn: Connection) -> None:
    sent = zeke_jobs.send_many("pull", [{}] * 3)
    zeke_jobs.cancel(task="pull")
    assert cli("retry", sent[0].id).out == f"{sent[0].id}: queued again, with a fresh retry limit\n"
    assert cli("retry", "--task", "pull", "--status", "cancelled").out == "2 jobs are queued again\n"
    assert cli("retry", "--task", "pull", "--newer", "1h") == (1, "0 jobs are queued again\n", "")
    none = cli("retry", "--task", "pull", "--json")
    assert (none.status, none.json) == (1, [])
    zeke_jobs.cancel(sent[0].id)
    query(conn, "DELETE FROM zeke_jobs.task")
    assert cli("retry", "--task", "pull", "--status", "cancelled").out == "1 job is queued again\n"


@pytest.mark.parametrize("after_failure", ["hold", "send"])
def test_a_dry_run_of_a_whole_batch_counts_what_is_changed(cli: Cli, conn: Connection, after_failure: Any) -> None:
    jobs = zeke_jobs.send_many("pull", [{}] * 5, batch="b", then=("pull", {}), after_failure=after_failure)
    failed, ordered, active, stopped, _ = (one.id for one in jobs)
    change(conn, failed, "state = 'rejected', attempt = 1, completed_on = now()")
    change(conn, ordered, "state = 'rejected', attempt = 1, completed_on = now(), order_hold = true")
    change(conn, active, "state = 'consumed', attempt = 1, started_on = now()")
    change(conn, stopped, "state = 'consumed', attempt = 1, started_on = now(), cancelled_on = now()")

    def both(verb: str) -> dict[tuple[str, str], int]:
        told = cli(verb, "--batch", "b", "--dry-run", "--json").json
        found = {(one["task_id"], one["status"]): one["jobs"] for one in told}
        assert len(cli(verb, "--batch", "b", "--json").json) == sum(found.values())
        return found

    queued = {("pull", "created"): 1, ("pull", "active"): 1}
    assert both("cancel") == (queued | {("pull", "failed"): 2} if after_failure == "hold" else queued)
    for job_id in (active, stopped):
        change(conn, job_id, "state = 'rejected', completed_on = now()")
    assert sum(both("retry").values()) == 5
    cli("cancel", "--batch", "nope", "--dry-run").says("error: expected the id of a batch, got 'nope'\n", status=1)


def test_an_interrupted_change_says_at_least_how_many(cli: Cli, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.client.many._AT_ONCE", 2)
    zeke_jobs.send_many("pull", [{}] * 6)
    step, calls = Change._change, []

    def interrupted(*arguments: Any) -> Any:
        answer = step(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt  # The transaction has committed, but the answer is lost.
        return answer

    monkeypatch.setattr(Change, "_change", interrupted)
    ran = cli("cancel", "--task", "pull")
    said = "at least 2 jobs changed before it was interrupted; run it again for the rest\n"
    assert (ran.status, ran.err) == (130, said)
    assert sum(job.status == "cancelled" for job in zeke_jobs.jobs()) == 4


def test_pause_paused_and_resume_say_what_they_did(cli: Cli, make_task: MakeTask) -> None:
    make_task("analyze-story")
    paused = cli("pause", "task/analyze-story", "--reason", "the model is down")
    assert paused == (0, "task/analyze-story is paused\n", "")
    again = cli("pause", "task/analyze-story", "--reason", "quota").out
    assert again.startswith("task/analyze-story was paused already by ")
    assert again.endswith(" (the model is down); that pause stays\n")
    cli("paused").says("task/analyze-story", "the model is down")
    (one,) = cli("paused", "--json").json
    assert (one["target"], one["reason"], one["waiting"]) == ("task/analyze-story", "the model is down", 0)
    assert cli("resume", "task/analyze-story").out == "task/analyze-story is resumed\n"
    assert cli("resume", "task/analyze-story").out == "task/analyze-story was not paused by anybody\n"
    assert cli("paused").out == "nothing is paused\n"
    make_task("analyze-story", paused=True)
    assert "stays paused: jobs.yaml says so" in cli("resume", "task/analyze-story").out


def test_a_part_of_an_id_is_enough_and_a_job_is_shown_with_tracebacks_and_logs(cli: Cli, conn: Connection) -> None:
    for job in (ONE, OTHER):
        zeke_jobs.send("pull", id=job)
    for part in (ONE, "01a21ebc-c8", "2d06086d", "2D06086D", "…58022d06086d", "0b-58022d06086d"):
        for command in ("status", "why"):
            assert cli(command, part).says().startswith(str(ONE))
    said = [f"{job}  pull, created, sent " for job in (ONE, OTHER)]
    said.append("expected more of the id, got '01a21ebc', which fits several jobs:")
    cli("cancel", "2d06086d", "01a21ebc").says(*said, status=2)
    assert {zeke_jobs.status(job).status for job in (ONE, OTHER)} == {"created"}
    cli("why", "ffff").says("expected the beginning or the end of a job's id, got 'ffff': no job has it", status=1)
    error = {"type": "ValueError", "message": "boom", "traceback": TRACEBACK}
    attempts = [{"attempt": n, "outcome": how, "error": error} for n, how in ((1, "retry"), (2, "failed"))]
    change(conn, ONE, f"state = 'rejected', attempt = 2, attempts = '{json.dumps(attempts)}', completed_on = now()")
    indented = "\n".join(f"      {line}" for line in TRACEBACK.splitlines())
    for command in ("status", "why"):
        cli(command, "2d06086d").says(indented, "\n      the same traceback as attempt 1\n")
    assert cli("status", "2d06086d", "--json").json["attempts"][0]["error"]["traceback"] == TRACEBACK.splitlines()
    assert cli("why", "2d06086d", "--json").json["history"][0]["traceback"] == TRACEBACK.splitlines()
    none = "no lines: no attempt that keeps them (log in jobs.yaml) has ended and logged any\n"
    assert cli("logs", "2d06086d") == (1, "", none)
    lines = "(%s, 1, 1, E'one\\ntwo\\x1b', 3), (%s, 2, 2, 'three', 0)"
    columns = "zeke_jobs.job_log (job, claim, attempt, lines, dropped)"
    query(conn, f"INSERT INTO {columns} VALUES {lines}", str(ONE), str(ONE))
    assert cli("logs", "2d06086d").out == "attempt 1, 3 earlier lines not kept\n  one\n  two\\x1b\nattempt 2\n  three\n"
    assert [row["lines"] for row in cli("logs", "2d06086d", "--attempt", "2", "--json").json] == [["three"]]
