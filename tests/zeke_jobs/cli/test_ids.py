"""Commands accept the beginning or the end of a job's id, and show the logs and errors of its attempts."""

import json
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.fleet import query
from tests.zeke_jobs.cli.test_commands import tasks
from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.sql import change

__all__ = ["tasks"]

ONE, OTHER = UUID("01a21ebc-c810-7bd9-9f0b-58022d06086d"), UUID("01a21ebc-c1cb-7f4d-a4c6-b212d8d85016")
TRACEBACK = 'Traceback (most recent call last):\n  File "greet.py", line 4, in greet\n    raise ValueError("boom")\nValueError: boom\n'


@pytest.fixture
def two(tasks: None) -> None:
    del tasks
    for job in (ONE, OTHER):
        zeke_jobs.send("pull", id=job)


@pytest.mark.usefixtures("two")
@each("part", [str(ONE), "01a21ebc-c8", "2d06086d", "2D06086D", "…58022d06086d", "0b-58022d06086d"])
def test_a_part_of_an_id_is_enough(cli: Cli, part: str) -> None:
    for command in ("status", "why"):
        ran = cli(command, part)
        assert ran.status == 0
        assert ran.out.startswith(str(ONE))


@pytest.mark.usefixtures("two")
def test_where_several_jobs_fit_they_are_listed_and_none_is_touched(cli: Cli) -> None:
    ran = cli("cancel", "2d06086d", "01a21ebc")
    assert ran.status == 2
    assert "expected more of the id, got '01a21ebc', which fits several jobs:" in ran.err
    assert f"{ONE}  pull, created, sent " in ran.err
    assert f"{OTHER}  pull, created, sent " in ran.err
    assert {zeke_jobs.status(job).status for job in (ONE, OTHER)} == {"created"}


@pytest.mark.usefixtures("two")
@each(
    ("part", "status", "message"),
    [
        ("ffffffff", 1, "expected the beginning or the end of a job's id, got 'ffffffff': no job has it"),
        ("01a", 2, "expected at least 4 characters of a job's id, got '01a'"),
        ("pull", 2, "expected a job's id, its beginning or its end, got 'pull'"),
    ],
)
def test_what_fits_no_job_is_refused(cli: Cli, part: str, status: int, message: str) -> None:
    ran = cli("why", part)
    assert (ran.status, message in ran.err) == (status, True), ran.err


@pytest.mark.usefixtures("two")
def test_a_failed_job_is_shown_with_the_traceback_of_each_attempt(cli: Cli, conn: Connection) -> None:
    error = {"type": "ValueError", "message": "boom", "traceback": TRACEBACK}
    attempts = [{"attempt": n, "outcome": how, "error": error} for n, how in ((1, "retry"), (2, "failed"))]
    change(conn, ONE, f"state = 'rejected', attempt = 2, attempts = '{json.dumps(attempts)}', completed_on = now()")
    for command in ("status", "why"):
        shown = cli(command, "2d06086d").out
        assert "\n".join(f"      {line}" for line in TRACEBACK.splitlines()) in shown
        assert "\n      the same traceback as attempt 1\n" in shown
    data = cli("status", "2d06086d", "--json").json
    assert data["attempts"][0]["error"]["traceback"] == TRACEBACK.splitlines()
    assert cli("why", "2d06086d", "--json").json["history"][0]["traceback"] == TRACEBACK.splitlines()


@pytest.mark.usefixtures("two")
def test_what_attempts_logged_is_shown(cli: Cli, conn: Connection) -> None:
    none = "no lines: no attempt that keeps them (log in jobs.yaml) has ended and logged any\n"
    assert cli("logs", "2d06086d") == (1, "", none)
    lines = "(%s, 1, 1, E'one\\ntwo\\x1b', 3), (%s, 2, 2, 'three', 0)"
    columns = "zeke_jobs.job_log (job, claim, attempt, lines, dropped)"
    query(conn, f"INSERT INTO {columns} VALUES {lines}", str(ONE), str(ONE))
    assert cli("logs", "2d06086d").out == "attempt 1, 3 earlier lines not kept\n  one\n  two\\x1b\nattempt 2\n  three\n"
    assert [row["lines"] for row in cli("logs", "2d06086d", "--attempt", "2", "--json").json] == [["three"]]
