"""The health checks of containers, run for real: they succeed while the part works, and fail when it does not."""

import socket
from collections.abc import Callable

import pytest
from psycopg2.extensions import connection as Connection

from tests.fleet import ROOT, Fleet, eventually, free_port
from tests.zeke_jobs.commands import Cli
from zeke_jobs.diagnosis.fleet import health_of_processes

Health = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.acceptance


@pytest.fixture
def health(cli: Cli, database: str) -> Health:
    """Run the command in this process: its exit status and its output."""

    def ask(*arguments: str) -> tuple[int, str]:
        ran = cli("health", *arguments)
        return ran.status, ran.out + ran.err

    return ask


def test_a_worker_is_fine_until_it_proves_life_no_more(fleet: Fleet, conn: Connection, health: Health) -> None:
    assert health("worker") == (1, f"expected a worker on {socket.gethostname()}, got none\n")
    worker = fleet.serve("work: {handler: 'H:work'}", conn, processes=2)
    status, said = health("worker")
    assert (status, said.startswith("2 of 2 worker processes on")) == (0, True)
    assert health("worker", "--host", "elsewhere")[0] == 1
    assert fleet.run("zeke-jobs", "health", "worker").wait() == 0  # as a container does
    worker.kill()
    eventually(lambda: not health_of_processes(fleet.database, "worker")[0], 30, fleet)
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
