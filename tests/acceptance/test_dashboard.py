"""pg-boss's own dashboard, unmodified, in a real browser on our database. CONTRIBUTING.md says how to install browser and dashboard."""

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.browser import Browser, browser
from tests.acceptance.running import up_in_a_folder
from tests.fleet import eventually, free_port
from tests.zeke_jobs.postgres.members import MEMBERS, as_member, sign_up
from tests.zeke_jobs.sql import rows
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres import roles
from zeke_jobs.revisions import boot
from zeke_jobs.supervise import processes

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

TASKS = """
  greet: {handler: 'H:echo', max_wait: 1m}
  digest: {handler: 'H:echo', cron: '0 8 * * *', paused: true}
"""
STATES = {
    "created": "attempt = attempt",
    "retry": "attempt = 1",
    "active": "state = 'consumed', attempt = 1, started_on = now()",
    "completed": "state = 'done', attempt = 1, result = '{\"chili\": 3}', completed_on = now()",
    "failed": "state = 'rejected', attempt = 3, completed_on = now()",
    "cancelled": "state = 'rejected', cancelled_on = now(), completed_on = now()",
}


@pytest.fixture
def program() -> list[str]:
    try:
        return processes.dashboard_program()
    except ConfigurationError as error:
        pytest.skip(str(error))


@pytest.fixture
def jobs(conn: Connection) -> dict[str, str]:
    """A job in each state."""
    boot.sync(conn, load(TASKS))
    sign_up(conn)
    made = {}
    for state, change in STATES.items():
        made[state] = str(zeke_jobs.send("greet", {"n": 1}).id)
        rows(conn, f"UPDATE zeke_jobs.queue SET {change} WHERE message_id = '{made[state]}' RETURNING 1")
    rows(conn, "SELECT zeke_jobs.put_schedule('team/seven', 'greet', '0 9 * * *', 'Europe/Paris')")
    rows(
        conn,
        """UPDATE zeke_jobs.task SET definition = definition || '{"max_wait": "0s"}' WHERE id = 'greet' RETURNING 1""",
    )
    return made


@contextmanager
def served(program: list[str], url: str, read_only: str) -> Iterator[str]:
    """The dashboard's pages, as ``up --dashboard`` serves them."""
    port = free_port()
    env = {**os.environ, "DATABASE_URL": url, "PGBOSS_DASHBOARD_READ_ONLY": read_only}
    command = processes.dashboard(program, env, port=port, schema="pgboss")
    process = subprocess.Popen(command.argv, env=command.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "listening on http://127.0.0.1" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def opened(
    program: list[str], jobs: dict[str, str], database: str
) -> Iterator[Callable[[str, str], tuple[Browser, str]]]:
    """Opens a window on the dashboard of a role's member."""
    if missing := [name for name in ("chromedriver", "chromium") if shutil.which(name) is None]:
        pytest.skip(f"{' and '.join(missing)} is not installed")
    assert jobs
    with ExitStack() as stack:

        def open_(role: str, read_only: str) -> tuple[Browser, str]:
            home = stack.enter_context(served(program, as_member(database, role), read_only))
            return stack.enter_context(browser()), home

        yield open_


def state_of(conn: Connection, job: str) -> str | None:
    found = rows(conn, f"SELECT state::text FROM zeke_jobs.job WHERE id = '{job}'")
    return str(found[0][0]) if found else None


def test_each_page_and_each_filter_shows_what_is_there(opened: Any, jobs: dict[str, str]) -> None:
    page, home = opened(roles.READER, "1")

    def shows(path: str, *expected: str) -> str:
        page.go(home + path)
        text = str(page.text)
        for one in expected:
            assert one in text, f"{path}: {text}"
        assert "Send Job" not in text  # it is read-only
        return text

    shows("/", "QUEUED JOBS\n2", "ACTIVE\n1", "FAILED\n1", "TOTAL JOBS\n6", "waits longer than max_wait")
    shows("/jobs?state=all", *jobs.values())
    shows("/queues", "digest", "greet")
    shows("/queues?search=dig", "digest")
    shows("/schedules", "0 8 * * *", "team/seven", "Europe/Paris")
    shows("/schedules/greet/team%2Fseven", "0 9 * * *", "NEXT OCCURRENCE")
    shows("/warnings", "The oldest due job of greet waits longer than max_wait")
    assert "oldest due job" not in shows("/warnings?type=clock_skew")
    shows("/migrations", "zeke_jobs/0001_jobs.sql")
    shows("/queues/greet/metrics", "greet metrics")
    for state, job in jobs.items():
        text = shows(f"/jobs?state={state}", job)
        assert [one for one in jobs.values() if one in text] == [job]
    text = shows("/queues/greet", jobs["created"], jobs["retry"], jobs["active"])  # those that are pending
    assert jobs["failed"] not in text
    for state in ("created", "failed"):
        shows(f"/queues/greet/jobs/{jobs[state]}", jobs[state], state)
    assert jobs["failed"] not in shows(f"/jobs?state=all&id={jobs['created']}", jobs["created"])
    assert jobs["created"] not in shows("/jobs?state=all&minRetries=1", jobs["failed"])
    shows("/jobs?queues=greet&data.n=1", jobs["created"])
    assert jobs["created"] not in shows("/jobs?data.n=2")
    assert jobs["failed"] not in shows("/jobs?state=all&output.chili=3", jobs["completed"])
    # And by a person's clicks.
    page.go(f"{home}/queues/greet?state=all")
    for state, job in jobs.items():
        others = " or ".join(f"contains(., '{one}')" for one in jobs.values() if one != job)
        page.press(f"//select/option[@value='{state}']", then=f"//main[contains(., '{job}') and not({others})]")


def test_each_button_of_an_operator_does_what_it_says(opened: Any, jobs: dict[str, str], conn: Connection) -> None:
    page, home = opened(roles.OPERATOR, "0")

    def in_the_list(job: str, item: str, confirm: str | None = None) -> None:
        page.go(f"{home}/queues/greet?state=all")
        row = f"//tr[contains(., '{job}')]"
        page.press(f"{row}//button[@aria-label='Job actions']", then=f"//*[@role='menuitem'][.='{item}']")
        page.click(f"//*[@role='menuitem'][.='{item}']")
        if confirm:
            eventually(lambda: page.has(f"//*[@role='dialog']//button[.='{confirm}']"), 20)
            page.click(f"//*[@role='dialog']//button[.='{confirm}']")

    def on_its_page(job: str, button: str, confirm: str | None = None) -> None:
        page.go(f"{home}/queues/greet/jobs/{job}")
        dialog = f"//*[@role='dialog']//button[.='{confirm}']"
        if confirm:
            page.press(f"//button[.='{button}']", then=dialog)
            page.click(dialog)
        else:
            page.press(f"//button[.='{button}']", then=f"//body[not(.//button[.='{button}'])]")

    def becomes(job: str, state: str | None) -> None:
        eventually(lambda: state_of(conn, job) == state, 20)

    one, failed, cancelled = jobs["created"], jobs["failed"], jobs["cancelled"]
    for act in (in_the_list, on_its_page):
        act(one, "Cancel", "Cancel Job")
        becomes(one, "cancelled")
        act(one, "Resume")
        becomes(one, "created")
    in_the_list(failed, "Retry")
    becomes(failed, "retry")
    rows(conn, f"UPDATE zeke_jobs.queue SET {STATES['failed']} WHERE message_id = '{failed}' RETURNING 1")
    on_its_page(failed, "Retry")
    becomes(failed, "retry")
    in_the_list(cancelled, "Delete", "Delete")
    becomes(cancelled, None)
    on_its_page(jobs["completed"], "Delete", "Delete")
    becomes(jobs["completed"], None)
    page.go(f"{home}/queues/greet/jobs/{jobs['active']}")
    page.press("//button[.='Cancel']", then="//*[@role='dialog']//button[.='Cancel Job']")
    page.click("//*[@role='dialog']//button[.='Cancel Job']")
    eventually(
        lambda: rows(
            conn, f"SELECT 1 FROM zeke_jobs.queue WHERE message_id = '{jobs['active']}' AND cancelled_on IS NOT NULL"
        ),
        20,
    )
    page.go(f"{home}/schedules/greet/team%2Fseven")
    page.press("//button[.='Unschedule']", then="//*[@role='dialog']//button[.='Unschedule']")
    page.click("//*[@role='dialog']//button[.='Unschedule']")
    eventually(lambda: rows(conn, "SELECT name FROM pgboss.schedule") == [("digest",)], 20)
    done = {
        action
        for action, login in rows(conn, "SELECT action, login FROM zeke_jobs.audit WHERE said_by = 'pg-boss'")
        if login == MEMBERS[roles.OPERATOR]
    }
    assert done == {"cancel", "retry", "delete"}


def test_its_forms_send_jobs_and_say_what_is_refused(opened: Any, conn: Connection) -> None:
    page, home = opened(roles.OPERATOR, "0")
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false}'
    rows(conn, f"UPDATE zeke_jobs.task SET payload_schema = '{schema}' WHERE id = 'greet' RETURNING 1")

    def send(data: str, then: str) -> None:
        page.go(f"{home}/send?queue=greet")
        page.write("//textarea[@name='data']", data)
        page.write("//input[@name='singletonKey']", "by hand")
        page.press("//button[@type='submit']", then=then)

    send('{"n": 7}', then="//h1[.='greet']")
    ((job,),) = rows(conn, "SELECT id::text FROM pgboss.job WHERE singleton_key = 'by hand' AND data = '{\"n\": 7}'")
    assert str(job) in page.text
    send('{"nonsense": 1}', then="//*[contains(., 'expected fields of the task (n), got nonsense')]")
    page.go(f"{home}/queues/create")
    page.write("//input[@name='queueName']", "unknown")
    page.press("//button[@type='submit']", then="//*[contains(., \"expected the name of a task, got 'unknown'\")]")


def test_a_reader_gets_no_change_even_from_a_dashboard_that_offers_it(opened: Any, jobs: Any, conn: Connection) -> None:
    page, home = opened(roles.READER, "0")
    page.go(f"{home}/queues/greet/jobs/{jobs['failed']}")
    page.press("//button[.='Retry']", then="//*[contains(., 'Action failed') or contains(., 'error occurred')]")
    page.go(f"{home}/send?queue=greet")
    page.press("//button[@type='submit']", then="//*[contains(., 'permission denied for view job')]")
    assert state_of(conn, jobs["failed"]) == "failed"
    assert rows(conn, "SELECT count(*) FROM zeke_jobs.queue") == [(len(jobs),)]


def test_up_starts_it_beside_the_workers_read_only_and_ends_it_too(program: list[str]) -> None:
    with up_in_a_folder(greets=True) as up:
        up.env["PATH"] += os.pathsep + str(Path(program[1]).parent)
        port = free_port()
        up.start("--dashboard", "--port", str(port))
        up.wait_for(f"listening on http://127.0.0.1:{port}")
        up.wait_for("Worker process is ready")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/queues", timeout=30) as answer:
            shown = answer.read().decode()
        assert "greet" in shown
        assert "Create Queue" not in shown
        assert up.stop() == 0, up.text
        assert up.left() == []


def test_up_says_what_the_dashboard_needs_and_starts_nothing() -> None:
    with up_in_a_folder(greets=True) as up:
        for programs, expected in (
            ([], "expected Node.js on the PATH for the dashboard, got none"),
            (
                ["node"],
                "expected the npm package of the dashboard in node_modules, got none\n  help: npm install @pg-boss/dashboard@1.9.0",
            ),
        ):
            (up.folder / "bin").mkdir(exist_ok=True)
            for name in programs:
                (up.folder / "bin" / name).write_text("#!/bin/sh\n")
                (up.folder / "bin" / name).chmod(0o755)
            up.env["PATH"] = str(up.folder / "bin")
            up.start("--dashboard")
            assert up.wait() == 2
            assert expected in up.text
        assert not (up.folder / ".zeke").exists()
