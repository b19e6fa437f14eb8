"""``zeke-jobs up`` starts the system with one command. Ctrl-C ends it; --until-idle ends it when all work is done."""

import json
import signal
from collections.abc import Iterator
from uuid import UUID

import psutil
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.running import GREETS, HANDLER, JOBS, Up, up_in_a_folder
from tests.fleet import ROOT, eventually, scalar
from tests.zeke_jobs.sql import change
from zeke_jobs.postgres.own_server import server_folder


@pytest.fixture
def up() -> Iterator[Up]:
    with up_in_a_folder(GREETS) as made:
        yield made


def greet(up: Up, name: str) -> str:
    sent = f"zeke_jobs.send('greet', {{'name': {name!r}}})"
    return up.python(f"import zeke_jobs; print(zeke_jobs.wait({sent}.id, timeout=30))")


def test_it_runs_jobs_restarts_what_dies_and_leaves_nothing_when_it_is_stopped(up: Up) -> None:
    up.start()
    up.wait_for("Worker process is ready")
    up.wait_for("ready; in another terminal")
    assert "Starting Periodiq" not in up.text
    assert greet(up, "Ada") == "Hello, Ada"
    # The output says how to query the database.
    (line,) = (line for line in up.text.splitlines() if "to look inside: " in line)
    looked = up.run(f"{line.partition('to look inside: ')[2]} -Atc 'SELECT count(*) FROM zeke_jobs.job'")
    assert looked.strip() == "1"
    # A second ``up`` in the folder is refused.
    second = up.run("zeke-jobs up; echo ended $?")
    assert f"got `zeke-jobs up` (process {up.command.pid}), which runs already" in second
    assert second.endswith("ended 1\n")
    # ``up`` restarts killed workers.
    next(p for p in psutil.Process(up.command.pid).children() if "dramatiq" in " ".join(p.cmdline())).kill()
    up.wait_for("Worker process is ready", times=2)
    assert greet(up, "Bob") == "Hello, Bob"
    assert up.stop() == 0, up.text
    assert "stopping; " in up.text
    assert up.text.endswith("up        | stopped\n")
    assert up.left() == []
    assert "got one that is stopped\n  help: zeke-jobs up starts it again" in up.run("zeke-jobs tasks")


def test_what_it_started_ends_when_it_is_killed_and_for_machines_every_line_is_json(up: Up) -> None:
    up.env["ZEKE_JOBS_LOG_FORMAT"] = "json"
    up.start()
    up.wait_for("Worker process is ready")
    whole = up.text.rpartition("\n")[0].splitlines()
    assert {json.loads(line)["level"] for line in whole} == {"info"}
    up.command.process.kill()
    up.command.wait(10)
    eventually(lambda: up.left() == [], 30)


def test_reload_takes_a_good_change_and_refuses_a_broken_one(up: Up) -> None:
    (up.folder / "jobs.yaml").write_text(JOBS.replace("concurrency", "concurrenc"))
    said = up.run("zeke-jobs up --reload; echo ended $?")
    assert ("jobs.yaml:3:" in said, said.endswith("ended 2\n")) == (True, True), said
    assert not server_folder(up.folder / ".zeke").exists()
    (up.folder / "jobs.yaml").write_text(JOBS)
    up.start("--reload")
    up.wait_for("Worker process is ready")
    up.wait_for("the scheduler is ready")  # The scheduler has read the file by then.
    (up.folder / "jobs.yaml").write_text(JOBS + "  other: {handler: 'nowhere:x'}\n")
    up.wait_for("refused; the running processes go on")
    assert "jobs.yaml:4:" in up.text
    assert greet(up, "Ada") == "Hello, Ada"
    (up.folder / "jobs.yaml").write_text(JOBS)
    (up.folder / "greet.py").write_text(HANDLER.replace("Hello", "Good day"))
    up.wait_for("Worker process is ready", times=2)
    assert greet(up, "Ada") == "Good day, Ada"
    # If the code breaks during a restart, the restart continues when the code is corrected.
    (up.folder / "jobs.yaml").write_text(JOBS + "# changed\n")
    up.wait_for("restarting", times=2)
    (up.folder / "greet.py").write_text(HANDLER + "\nraise ValueError('broken')\n")
    up.wait_for("refused; the running processes go on", times=2)
    (up.folder / "greet.py").write_text(HANDLER)
    up.wait_for("Worker process is ready", times=3)
    assert greet(up, "Ada") == "Hello, Ada"


# ── --until-idle: ``up`` runs all due jobs and ends; its exit status gives the result

TASKS = """\
version: 1
tasks:
  work: {handler: 'tests.acceptance.handlers:family', retry: {limit: 1, delay: 1s}}
  nightly: {handler: 'tests.acceptance.handlers:family', queue: nightly}
  paused: {handler: 'tests.acceptance.handlers:family', paused: true}
  line: {handler: 'tests.acceptance.handlers:family', order: strict, retry: {limit: 0}}
"""


@pytest.fixture
def idle(database: str) -> Iterator[Up]:
    with up_in_a_folder({"jobs.yaml": TASKS}, DATABASE_URL=database, PYTHONPATH=str(ROOT)) as made:
        assert "in force" in made.run("zeke-jobs apply")
        yield made


def send(task: str, count: int = 1, /, **options: object) -> list[UUID]:
    payload = options.pop("payload", {})
    return [zeke_jobs.send(task, payload, **options).id for _ in range(count)]  # type: ignore[arg-type]


def states(*jobs: UUID) -> set[str]:
    return {zeke_jobs.status(job).status for job in jobs}


def run(up: Up, *options: str) -> int:
    up.start("--until-idle", *options)
    return up.wait()


def test_it_ends_with_0_once_nothing_is_due_and_retries_of_its_own_are_over(idle: Up, conn: Connection) -> None:
    done = [*send("work", 5), *send("work", payload={"fails": 1}), *send("work", payload={"children": 2})]
    done += send("nightly")
    left = [*send("work", delay=3600), *send("paused"), *send("work", delay=3600)]
    # A run does not wait for the retries of an earlier run or of a paused task.
    for job, claimed in zip(left[1:], ("1 hour", "-1 hour"), strict=True):
        tried = f"claimed_on = now() + interval '{claimed}', attempts = '[{{\"outcome\": \"retry\"}}]'"
        change(conn, job, f"attempt = 1, run_at = now() + interval '1 hour', {tried}")
    assert run(idle) == 0, idle.text
    assert "no job failed" in idle.text
    assert "Starting Periodiq" not in idle.text
    assert (states(*done), states(*left)) == ({"completed"}, {"created", "retry"})
    # The job with two children sent two jobs, each of which sent one job.
    assert scalar(conn, "SELECT count(*) FROM zeke_jobs.job WHERE state = 'completed'") == len(done) + 2 + 2


def test_it_ends_with_1_and_names_the_job_that_failed_for_good(idle: Up) -> None:
    (failed,) = send("work", payload={"fails": 9})
    first, behind = send("line", 2, payload={"fails": 1}, key="k")
    assert run(idle) == 1, idle.text
    assert f"failed: work {failed}: ValueError: not yet" in idle.text
    assert f"failed: line {first}: ValueError: not yet" in idle.text
    assert states(behind) == {"created"}  # The failed job still holds its key.
    assert run(idle) == 0, idle.text  # Earlier failures do not count.


def test_one_queue_alone_is_worked_off(idle: Up) -> None:
    wanted, other = *send("nightly"), *send("work")
    assert run(idle, "--queue", "nightly") == 0, idle.text
    assert (states(wanted), states(other)) == ({"completed"}, {"created"})
    assert run(idle, "--queue", "nightli") == 2
    assert "did you mean 'nightly'?" in idle.text


def test_a_run_that_is_stopped_or_has_no_folder_for_its_answers_is_no_success(idle: Up) -> None:
    (job,) = send("work", payload={"seconds": 2})
    idle.env["ZEKE_JOBS_RUN"] = str(idle.folder / "jobs.yaml")
    assert run(idle) == 2, idle.text
    assert "expected a folder for sockets in ZEKE_JOBS_RUN" in idle.text
    assert "ended by the error above before the work was done" in idle.text
    assert "no job failed" not in idle.text
    assert states(job) == {"created"}
    del idle.env["ZEKE_JOBS_RUN"]
    idle.start("--until-idle")
    eventually(lambda: zeke_jobs.status(job).started_on, 30)  # A job that is only claimed would go back into the queue.
    assert idle.stop(signal.SIGTERM) == 130, idle.text
    assert "stopped before the work was done" in idle.text
    assert states(job) == {"completed"}  # The job had time to end.
