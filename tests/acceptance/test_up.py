"""``zeke-jobs up`` starts the system with one command, and one Ctrl-C ends it."""

import json
from collections.abc import Iterator

import psutil
import pytest

from tests.acceptance.installed import HANDLER, JOBS
from tests.acceptance.running import Up, up_in_a_folder
from tests.fleet import eventually
from zeke_jobs.postgres.own_server import server_folder


@pytest.fixture
def up() -> Iterator[Up]:
    with up_in_a_folder(greets=True) as made:
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
    assert f"got `zeke-jobs up` (process {up.process.pid}), which runs already" in second
    assert second.endswith("ended 1\n")
    # ``up`` restarts killed workers.
    next(p for p in psutil.Process(up.process.pid).children() if "dramatiq" in " ".join(p.cmdline())).kill()
    up.wait_for("Worker process is ready", times=2)
    assert greet(up, "Bob") == "Hello, Bob"
    assert up.stop() == 0, up.text
    assert "stopping; " in up.text
    assert up.text.endswith("up        | stopped\n")
    assert up.left() == []


def test_what_it_started_ends_when_it_is_killed_and_for_machines_every_line_is_json(up: Up) -> None:
    up.env["ZEKE_JOBS_LOG_FORMAT"] = "json"
    up.start()
    up.wait_for("Worker process is ready")
    whole = up.text.rpartition("\n")[0].splitlines()
    assert {json.loads(line)["level"] for line in whole} == {"info"}
    up.process.kill()
    up.process.wait(10)
    eventually(lambda: up.left() == [], 30)


def test_a_broken_jobs_yaml_is_refused_and_nothing_starts(up: Up) -> None:
    (up.folder / "jobs.yaml").write_text(JOBS.replace("concurrency", "concurrenc"))
    up.start()
    assert up.wait() == 2
    assert "jobs.yaml:3:" in up.text
    assert not server_folder(up.folder / ".zeke").exists()


def test_reload_takes_a_good_change_and_refuses_a_broken_one(up: Up) -> None:
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
    # A process whose code broke is started again when the code is corrected.
    (up.folder / "jobs.yaml").write_text(JOBS + "# changed\n")
    up.wait_for("restarting", times=2)
    (up.folder / "greet.py").write_text(HANDLER + "\nraise ValueError('broken')\n")
    up.wait_for("refused; the running processes go on", times=2)
    (up.folder / "greet.py").write_text(HANDLER)
    up.wait_for("Worker process is ready", times=3)
    assert greet(up, "Ada") == "Hello, Ada"
