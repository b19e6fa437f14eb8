"""``zeke-jobs up --until-idle`` runs all due jobs and ends, and its exit status gives the result."""

import os
import signal
from collections.abc import Iterator
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.running import Up, up_in_a_folder
from tests.fleet import eventually, scalar

HANDLERS = """\
import time

from zeke_jobs import Context, Payload, Reject

class Work(Payload):
    fails: int = 0
    seconds: float = 0.0
    children: int = 0

def work(payload: Work, ctx: Context) -> None:
    time.sleep(payload.seconds)
    for _ in range(payload.children):
        ctx.send("work", {"children": payload.children - 1})
    if ctx.attempt <= payload.fails:
        raise ValueError("not yet")
"""
JOBS = """\
version: 1
tasks:
  work: {handler: 'work:work', retry: {limit: 1, delay: 1s}}
  nightly: {handler: 'work:work', queue: nightly}
  paused: {handler: 'work:work', paused: true}
  line: {handler: 'work:work', order: strict, retry: {limit: 0}}
"""


@pytest.fixture
def up(database: str) -> Iterator[Up]:
    with up_in_a_folder() as made:
        (made.folder / "work.py").write_text(HANDLERS)
        (made.folder / "jobs.yaml").write_text(JOBS)
        made.env["DATABASE_URL"] = os.environ["DATABASE_URL"]
        assert "in force" in made.run("zeke-jobs apply")
        yield made


def send(task: str, count: int = 1, /, **options: object) -> list[UUID]:
    payload = options.pop("payload", {})
    return [zeke_jobs.send(task, payload, **options).id for _ in range(count)]  # type: ignore[arg-type]


def states(jobs: list[UUID]) -> set[str]:
    return {zeke_jobs.status(job).status for job in jobs}


def run(up: Up, *options: str) -> int:
    up.start("--until-idle", *options)
    return up.wait()


def test_it_ends_with_0_once_nothing_is_due_and_retries_of_its_own_are_over(up: Up, conn: Connection) -> None:
    done = [
        *send("work", 5), *send("work", payload={"fails": 1}), *send("work", payload={"children": 2}), *send("nightly"),
    ]  # fmt: skip
    left = [*send("work", delay=3600), *send("paused")]
    assert run(up) == 0, up.text
    assert "no job failed" in up.text
    assert "Starting Periodiq" not in up.text
    assert states(done) == {"completed"}
    assert states(left) == {"created"}
    # The count includes the jobs that these jobs sent, and the jobs that those sent in turn.
    assert scalar(conn, "SELECT count(*) FROM zeke_jobs.job WHERE state = 'completed'") == len(done) + 2 + 2
    assert run(up) == 0, up.text  # No job is due.


def test_it_ends_with_1_and_names_the_job_that_failed_for_good(up: Up) -> None:
    (failed,) = send("work", payload={"fails": 9})
    first, behind = send("line", 2, payload={"fails": 1}, key="k")
    assert run(up) == 1, up.text
    assert f"failed: work {failed}: ValueError: not yet" in up.text
    assert f"failed: line {first}: ValueError: not yet" in up.text
    assert states([behind]) == {"created"}  # The failed job still holds its key.
    assert run(up) == 0, up.text  # Earlier failures do not count.


def test_one_queue_alone_is_worked_off(up: Up) -> None:
    (wanted,), (other,) = send("nightly"), send("work")
    assert run(up, "--queue", "nightly") == 0, up.text
    assert (zeke_jobs.status(wanted).status, zeke_jobs.status(other).status) == ("completed", "created")
    assert run(up, "--queue", "nightli") == 2
    assert "did you mean 'nightly'?" in up.text


def test_a_run_without_a_folder_for_its_answers_ends_with_that_error(up: Up) -> None:
    (job,) = send("work")
    up.env["ZEKE_JOBS_RUN"] = str(up.folder / "work.py")
    assert run(up) == 2, up.text
    assert "expected a folder for sockets in ZEKE_JOBS_RUN" in up.text
    assert "ended by the error above before the work was done" in up.text
    assert "no job failed" not in up.text
    assert states([job]) == {"created"}


def test_a_run_that_is_stopped_before_is_no_success(up: Up) -> None:
    (job,) = send("work", payload={"seconds": 2})
    up.start("--until-idle")
    eventually(lambda: zeke_jobs.status(job).started_on, 30)  # A job that is only claimed would be handed back.
    assert up.stop(signal.SIGTERM) == 130, up.text
    assert "stopped before the work was done" in up.text
    assert zeke_jobs.status(job).status == "completed"  # The job had time to end.
