"""The health checks of containers, run for real: they succeed while the part works, and fail when it does not."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from tests.fleet import ROOT, Fleet, eventually, free_port
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.diagnosis.health import of_processes

Health = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.acceptance

TASKS = """
    version: 1
    tasks:
      work: {handler: "H:work"}
"""


@pytest.fixture
def health(capsys: pytest.CaptureFixture[str], database: str) -> Callable[..., tuple[int, str]]:
    """Run the command in this process: its exit status and its output."""

    def ask(*arguments: str) -> tuple[int, str]:
        status = run(app, "zeke-jobs", ["health", *arguments])
        out, err = capsys.readouterr()
        return status, out + err

    return ask


def test_a_worker_is_fine_until_it_proves_life_no_more(fleet: Fleet, conn: Connection, health: Health) -> None:
    assert health("worker") == (1, f"expected a worker on {socket.gethostname()}, got none\n")
    fleet.configure(TASKS)
    worker = fleet.workers(processes=2)
    fleet.ready(conn, 2)
    status, said = health("worker")
    assert (status, said.startswith("2 of 2 worker processes on")) == (0, True)
    assert health("worker", "--host", "elsewhere")[0] == 1
    program = Path(sys.executable).parent / "zeke-jobs"
    assert (
        subprocess.run([program, "health", "worker"], check=False, capture_output=True).returncode == 0
    )  # as a container does
    worker.kill()
    eventually(lambda: not of_processes(fleet.database, "worker").is_fine, 30, fleet)
    assert health("worker")[0] == 1


def test_a_database_that_is_away_is_not_fine_nor_is_nonsense(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    status, said = health("worker")
    assert (status, "the database does not answer" in said) == (1, True)
    assert health("wörker")[0] == 2


def test_engine_and_exporter_are_asked_at_their_addresses(fleet: Fleet, health: Health) -> None:
    engine, exporter, blind = free_port(), free_port(), free_port()
    fleet.run("python", "-m", "actors.engine", "--port", str(engine), PYTHONPATH=str(ROOT))
    fleet.run("zeke-jobs", "metrics", "--listen", f"127.0.0.1:{exporter}")
    fleet.run("zeke-jobs", "metrics", "--listen", f"127.0.0.1:{blind}", DATABASE_URL="postgresql://x@127.0.0.1:1/x")

    def ask_engine() -> tuple[int, str]:
        return health(f"http://127.0.0.1:{engine}/health", "--contains", "ok")

    def ask(port: int) -> tuple[int, str]:
        return health(f"http://127.0.0.1:{port}/metrics", "--contains", "zeke_jobs_up 1.0")

    eventually(lambda: ask_engine()[0] == 0, 60, fleet)
    eventually(lambda: ask(exporter)[0] == 0, 60, fleet)
    eventually(lambda: "expected 'zeke_jobs_up 1.0' in the answer" in ask(blind)[1], 60, fleet)
    assert ask(blind)[0] == 1
    assert ask(free_port())[0] == 1
