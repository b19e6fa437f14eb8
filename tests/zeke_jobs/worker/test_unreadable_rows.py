"""An unreadable row fails alone. A fault between a claim and the start of its jobs leaves no job stuck."""

import json
from threading import current_thread
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.strange import nested
from tests.zeke_jobs.worker.conftest import Jobs, Patch, Running, ended
from zeke_jobs.core import bounds
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.broker import JobBroker

#: No worker can read these rows, which a superuser or an older release could write without the checks. Each entry has
#: the arguments of ``plant``, and the error that the worker reports.
UNREADABLE: list[tuple[dict[str, Any], str]] = [
    ({"kwargs": "5"}, "TypeError: args, kwargs and options are a list and two dicts, not list, int, dict"),
    ({"args": 5}, "TypeError: args, kwargs and options are"),
    ({"options": ["x"]}, "TypeError: args, kwargs and options are"),
    ({"message_timestamp": "yesterday"}, "ValueError: invalid literal for int()"),
    ({"message_timestamp": [1]}, "TypeError: int() argument"),
    ({"kwargs": '{"n": 1e4400}'}, "ValueError: Exceeds the limit (4300 digits)"),
    ({"kwargs": f'{{"n": {"7" * 5000}}}'}, "ValueError: Exceeds the limit (4300 digits)"),
    ({"kwargs": f'{{"n": {"[" * 6000}{"]" * 6000}}}'}, "ValueError: more than 100 lists and objects inside each other"),
    ({"kwargs": f'{{"n": {"[" * 100}{"]" * 100}}}'}, "ValueError: more than 100 lists and objects inside each other"),
    ({"scheduled_for": "0044-03-15 BC"}, "ValueError: Invalid isoformat string"),
    ({"scheduled_for": "9999-12-31 23:59:59-05"}, "ValueError: Invalid isoformat string"),
    ({"scheduled_for": "infinity"}, "ValueError: Invalid isoformat string"),
]
#: No worker claims a job that is due beyond Python's calendar.
FAR = {"run_at": "9999-12-31 23:59:59-05", "expires_on": "infinity"}
_TIMES = ("run_at", "expires_on", "created_on", "scheduled_for")


def plant(conn: Connection, task: str, kwargs: str = "{}", **said: Any) -> UUID:
    """Insert a job's row without checks; ``said`` has the columns in ``_TIMES``, and fields of the job's message."""
    times = {name: said.pop(name) for name in _TIMES if name in said}
    message = {"queue_name": "default", "actor_name": task, "args": [], "options": {}, "message_timestamp": 1, **said}
    text = json.dumps(message)[:-1] + f', "kwargs": {kwargs}}}'
    columns = "".join(f", {name}" for name in times)
    with transaction(conn), conn.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # The role replica skips the triggers.
        cursor.execute(
            f"""INSERT INTO zeke_jobs.queue (message_id, queue_name, message, task, revision{columns})
            SELECT gen_random_uuid(), 'default', m.message, m.message ->> 'actor_name', 1{", %s" * len(times)}
            FROM (SELECT %s::jsonb) AS m (message) RETURNING message_id::text""",
            [*times.values(), text],
        )
        (job,) = cursor.fetchone() or ("",)
    return UUID(job)


TASKS = """
  echo: {handler: 'H:echo', retry: {limit: 3, delay: 1ms}}
  limited: {handler: 'H:echo', concurrency: 2, retry: {limit: 3, delay: 1ms}}
"""


def verify_commands(cli: Cli, planted: list[UUID]) -> None:
    """Check that each command that reads jobs works, and shows these jobs."""
    commands = [("jobs",), ("jobs", "--json"), ("top", "--once"), ("tasks",), ("limits",), ("metrics",)]
    commands += [command for job in planted for command in (("status", str(job)), ("why", str(job), "--json"))]
    for command in commands:
        ran = cli(*command)
        assert (ran.status, "error:" in ran.err) == (0, False), (command, ran)
        if command[0] in ("jobs", "status", "why"):
            assert str(planted[0] if command[0] == "jobs" else command[1]) in ran.out, command
    cli("doctor").says("no live worker runs echo", status=1)


def test_a_row_that_cannot_be_read_fails_alone_and_says_why(
    running: Running, jobs: Jobs, cli: Cli, monkeypatch: Patch
) -> None:
    # Without an idle process's extra claims, the producer immediately queries the time of the next due job.
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._SOON", ())
    jobs.use(TASKS)
    innocent = jobs.add("echo", 5) + jobs.add("limited", 5)
    planted = [plant(jobs.conn, "echo", **how) for how, _ in UNREADABLE]
    innocent += jobs.add("echo", 5)
    far = plant(jobs.conn, "echo", **FAR)
    verify_commands(cli, [*planted[::-1], far])
    with capture_logs() as lines, running(TASKS) as broker:
        for job in innocent:
            assert zeke_jobs.wait(job, timeout=20)["attempt"] == 1
        for job, (_, words) in zip(planted, UNREADABLE, strict=True):
            failed = ended(job)
            error = failed.error or {}
            assert (failed.status, error["type"]) == ("failed", "InvalidPayload")
            assert f"expected a row that a worker can read, got {words}" in error["message"]
            assert len(failed.attempts) == 1
        eventually(lambda: (broker.process.held.free(), len(broker.process.held)) == (4, 0))
        for _ in range(2):  # The idle worker still claims although a job is due beyond Python's calendar.
            eventually(jobs.idle)
            zeke_jobs.wait(zeke_jobs.send("echo", {"n": 1}).id, timeout=20)
    assert [line for line in lines if "a claim failed" in line["event"]] == []
    assert jobs.rows("SELECT state FROM zeke_jobs.queue WHERE message_id = %s", far) == [{"state": "queued"}]
    deep = plant(jobs.conn, "echo", f'{{"x": {json.dumps(nested(900))}}}')
    old = dict.fromkeys(("created_on", "scheduled_for", "run_at"), "0044-03-15 BC")
    ancient = plant(jobs.conn, "echo", **old, expires_on="infinity")
    verify_commands(cli, [deep, ancient, far, *planted])
    shown = {job.id: job for job in zeke_jobs.jobs(limit=100)}
    assert "Exceeds the limit (4300 digits)" in shown[planted[5]].data["unreadable"]
    assert shown[deep].data == {"unreadable": "more than 100 lists and objects inside each other"}
    assert shown[planted[0]].data == {"unreadable": "expected an object, got 5"}
    found = shown[ancient]
    assert (found.created_on.year, found.scheduled_for, found.expires_on) == (1970, found.created_on, bounds.LATEST)


class Broken(Exception): ...


STEPS = [
    "completer.take_completions", "SQL.rows", "completer.flush_soon", "producer.freed", "runtime.policy", "held.accept", "start", "SQL.run", "held.want",
]  # fmt: skip


def inject(monkeypatch: Patch, broker: JobBroker, step: str, error: type[BaseException], *, after: bool) -> list[int]:
    """Let one call of a step fail before or after its work; return the list of failed calls."""
    *path, name = step.split(".")
    own = {"SQL": SQL, "producer": broker.producer}
    of: Any = (own.get(path[0]) or getattr(broker.process, path[0])) if path else broker.process
    whole, failed = getattr(of, name), list[int]()

    def fail(*args: Any, **said: Any) -> Any:
        is_ours = name not in ("run", "rows") or args[1] in ("worker/waits", "job/claim", "job/complete_and_claim")
        is_ours = is_ours and current_thread().name == "producer"
        done = whole(*args, **said) if after or not is_ours else None
        brings = name != "rows" or not after or len(done or ()) > 1
        if failed or not is_ours or not brings:
            return done if after or not is_ours else whole(*args, **said)
        failed.append(1)
        raise error(f"injected at {step}")

    monkeypatch.setattr(of, name, fail)
    return failed


@pytest.mark.parametrize(("after", "error"), [(False, Broken), (True, SystemExit)], ids=["before", "after"])
def test_an_exception_at_any_step_strands_no_job(
    running: Running, jobs: Jobs, monkeypatch: Patch, after: bool, error: type[BaseException]
) -> None:
    left = "SELECT 1 FROM zeke_jobs.queue WHERE state <> 'done' LIMIT 1"
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._AFTER_FAULT", 0.05)
    monkeypatch.setattr("zeke_jobs.worker.process.UNDER_WAY", 0.1)
    monkeypatch.setenv("ZEKE_JOBS_HEARTBEAT", "0.1")
    with running(TASKS) as broker:
        process = broker.process
        # From these jobs, the worker learns that jobs of both tasks are short.
        for job in jobs.add("limited", 60) + jobs.add("echo", 20):
            zeke_jobs.wait(job, timeout=20)
        for step in STEPS:
            process.registrations += 1  # The producer asks for its wake-ups again.
            with monkeypatch.context() as patch:
                failed = inject(patch, broker, step, error, after=after)
                # By chance, a claim or the completer writes a job's end, so a step may need several rounds of jobs.
                for _ in range(20):
                    jobs.add("limited", 20)
                    jobs.add("echo", 10)
                    eventually(lambda: not jobs.rows(left) and len(process.held) == 0, what=f"{step}: all jobs end")
                    if failed:
                        break
                assert failed, f"{step} was not gone through"
            eventually(lambda: process.held.free() == 4 and process.held.waiting() == 0, what=f"{step}: free threads")
    assert jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE deaths > 0 OR attempt <> 1") == []


def test_a_stop_hands_back_what_the_process_does_not_know(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    with running(TASKS) as broker:
        eventually(jobs.idle)
        failed = inject(monkeypatch, broker, "SQL.rows", Broken, after=True)
        sent = jobs.add("echo", 7)
        eventually(lambda: failed)
    monkeypatch.undo()
    rows = [jobs.row(job) for job in sent]
    found = {(row["state"], row["worker"], row["attempt"], row["deaths"]) for row in rows}
    assert found <= {("queued", None, 0, 0), ("done", None, 1, 0)}
    assert jobs.rows("SELECT 1 FROM zeke_jobs.worker") == []
