"""pg-boss's unmodified dashboard works on the database: it shows its pages, and its buttons have effects."""

import html
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.running import GREETS, up_in_a_folder
from tests.fleet import free_port
from tests.zeke_jobs.postgres.members import MEMBERS, as_member, sign_up
from tests.zeke_jobs.postgres.test_views import STATUSES
from tests.zeke_jobs.sql import change, rows
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres import roles
from zeke_jobs.revisions import applying
from zeke_jobs.supervise import reload

TASKS = """
  greet: {handler: 'H:echo', max_wait: 1m}
  digest: {handler: 'H:echo', cron: '0 8 * * *', paused: true}
"""


@dataclass
class Pages:
    home: str

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> str:
        """Send a request, follow redirects, and return the page's text, with each text node on its own line."""
        answer = httpx.request(method, self.home + path, data=form, follow_redirects=True, timeout=30)
        shown = re.sub(r"<(script|style)\b.*?</\1>|<!-- -->", "", answer.text, flags=re.DOTALL)
        return html.unescape(re.sub(r"(<[^>]*>)+", "\n", shown))

    def shows(self, path: str, *expected: str) -> str:
        text = self.ask("GET", path)
        assert [one for one in expected if one not in text] == [], f"{path}: {text}"
        return text

    def send(self, path: str, **form: str) -> str:
        return self.ask("POST", path, form)


@pytest.fixture
def program() -> list[str]:
    try:
        return reload.dashboard_program()
    except ConfigurationError as error:
        pytest.skip(str(error))


@pytest.fixture
def jobs(conn: Connection) -> dict[str, str]:
    applying.sync(conn, load(TASKS))
    sign_up(conn)
    made = {}
    for state, changes in STATUSES.items():
        made[state] = str(zeke_jobs.send("greet", {"n": 1}).id)
        change(conn, made[state], changes)
    rows(conn, "SELECT zeke_jobs.put_schedule('team/seven', 'greet', '0 9 * * *', 'Europe/Paris')")
    rows(conn, "UPDATE zeke_jobs.task SET definition = definition || '{\"max_wait\": \"0s\"}' WHERE id = 'greet'")
    return made


@pytest.fixture
def opened(program: list[str], jobs: dict[str, str], database: str) -> Iterator[Callable[..., Pages]]:
    started = []

    def serve(role: str, *, read_only: bool) -> Pages:
        port = free_port()
        env = {**os.environ, "DATABASE_URL": as_member(database, role), "PGBOSS_DASHBOARD_READ_ONLY": f"{read_only:d}"}
        command = reload.dashboard(program, env, port=port, schema="pgboss")
        process = subprocess.Popen(command.argv, env=command.environment, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert "listening on http://127.0.0.1" in process.stdout.readline()
        return Pages(f"http://127.0.0.1:{port}")

    yield serve
    for process in started:
        process.terminate()
        process.communicate(timeout=20)


def test_each_page_and_each_filter_shows_what_is_there(opened: Any, jobs: dict[str, str]) -> None:
    page = opened(roles.READER, read_only=True)
    home = page.shows("/", "waits longer than max_wait")
    for figure in ("Queued Jobs\n2", "Active\n1", "Failed\n1", "Total Jobs\n6"):
        assert figure in home
    assert "Send Job" not in home, "it is read-only"
    page.shows("/jobs?state=all", *jobs.values())
    page.shows("/queues", "digest", "greet")
    page.shows("/queues?search=dig", "digest")
    page.shows("/schedules", "0 8 * * *", "team/seven", "Europe/Paris")
    page.shows("/schedules/greet/team%2Fseven", "0 9 * * *", "Next occurrence")
    page.shows("/warnings", "The oldest due job of greet waits longer than max_wait")
    assert "oldest due job" not in page.shows("/warnings?type=clock_skew")
    page.shows("/migrations", "zeke_jobs/0001_jobs.sql")
    page.shows("/queues/greet/metrics", "greet metrics")
    for path in ("/jobs", "/queues/greet"):
        for state, job in jobs.items():
            text = page.shows(f"{path}?state={state}", job)
            assert [one for one in jobs.values() if one in text] == [job]
    text = page.shows("/queues/greet", jobs["created"], jobs["retry"], jobs["active"])  # The page lists pending jobs.
    assert jobs["failed"] not in text
    for state in ("created", "failed"):
        page.shows(f"/queues/greet/jobs/{jobs[state]}", jobs[state], state)
    assert jobs["failed"] not in page.shows(f"/jobs?state=all&id={jobs['created']}", jobs["created"])
    assert jobs["created"] not in page.shows("/jobs?state=all&minRetries=1", jobs["failed"])
    page.shows("/jobs?queues=greet&data.n=1", jobs["created"])
    assert jobs["created"] not in page.shows("/jobs?data.n=2")
    assert jobs["failed"] not in page.shows("/jobs?state=all&output.chili=3", jobs["completed"])


def test_each_button_of_an_operator_does_what_it_says(opened: Any, jobs: dict[str, str], conn: Connection) -> None:
    page = opened(roles.OPERATOR, read_only=False)

    def in_the_list(job: str, intent: str) -> None:
        page.send("/queues/greet", jobId=jobs[job], intent=intent)

    def on_its_page(job: str, intent: str) -> None:
        path = f"/queues/greet/jobs/{jobs[job]}"
        page.shows(path, intent.capitalize())  # The page shows the button.
        page.send(path, intent=intent)

    for press, deleted in ((in_the_list, "cancelled"), (on_its_page, "completed")):
        for job, intent, becomes in (
            ("created", "cancel", ["cancelled"]), ("created", "resume", ["created"]), ("failed", "retry", ["retry"]),
            (deleted, "delete", []),
        ):  # fmt: skip
            press(job, intent)
            found = rows(conn, "SELECT state::text FROM zeke_jobs.job WHERE id = %s", jobs[job])
            assert [state for (state,) in found] == becomes
        change(conn, jobs["failed"], STATUSES["failed"])
    on_its_page("active", "cancel")
    assert rows(conn, "SELECT cancelled_on IS NOT NULL FROM zeke_jobs.queue WHERE state = 'consumed'") == [(True,)]
    page.shows("/schedules/greet/team%2Fseven", "Unschedule")
    page.send("/schedules/greet/team%2Fseven", intent="unschedule")
    assert rows(conn, "SELECT name FROM pgboss.schedule") == [("digest",)]
    done = set(rows(conn, "SELECT action, login FROM zeke_jobs.audit WHERE said_by = 'pg-boss'"))
    assert done == {(action, MEMBERS[roles.OPERATOR]) for action in ("cancel", "retry", "delete")}


def test_its_forms_send_jobs_and_say_what_is_refused(opened: Any, conn: Connection) -> None:
    page = opened(roles.OPERATOR, read_only=False)
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false}'
    conn.cursor().execute("UPDATE zeke_jobs.task SET payload_schema = %s WHERE id = 'greet'", (schema,))
    sent = page.send("/send", queueName="greet", data='{"n": 7}', singletonKey="by hand")
    ((job,),) = rows(conn, "SELECT id::text FROM pgboss.job WHERE singleton_key = 'by hand' AND data = '{\"n\": 7}'")
    assert str(job) in sent
    refused = page.send("/send", queueName="greet", data='{"nonsense": 1}')
    assert "expected fields of the task (n), got nonsense" in refused
    assert "expected the name of a task, got 'unknown'" in page.send("/queues/create", queueName="unknown")


def test_up_starts_it_beside_the_workers_read_only_and_ends_it_too(program: list[str]) -> None:
    with up_in_a_folder(GREETS) as up:
        up.env["PATH"] += os.pathsep + str(Path(program[1]).parent)
        port = free_port()
        up.start("--dashboard", "--port", str(port))
        up.wait_for(f"listening on http://127.0.0.1:{port}")
        up.wait_for("Worker process is ready")
        assert "Create Queue" not in Pages(f"http://127.0.0.1:{port}").shows("/queues", "greet")
        assert up.stop() == 0, up.text
        assert up.left() == []


def test_up_says_what_the_dashboard_needs_and_starts_nothing() -> None:
    with up_in_a_folder(GREETS) as up:
        up.env["PATH"] = str(up.folder)
        npm = "expected the npm package of the dashboard in node_modules, got none\n  help: npm install @pg-boss/dashboard@1.9.0"
        for expected in ("expected Node.js on the PATH for the dashboard, got none", npm):
            up.start("--dashboard")
            assert up.wait() == 2
            assert expected in up.text
            (up.folder / "node").write_text("#!/bin/sh\n")
            (up.folder / "node").chmod(0o755)
        assert not (up.folder / ".zeke").exists()
