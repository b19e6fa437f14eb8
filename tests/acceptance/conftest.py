"""The fixtures start the real commands as processes that use the test's database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from tests.acceptance.handlers import TABLES
from tests.conftest import server_binaries
from tests.fleet import Fleet, fleet as running, open_folder
from tests.zeke_jobs.conftest import cli
from zeke_jobs.postgres import embedded

__all__ = ["cli"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark these tests as acceptance tests; each may by default take five minutes, because the machine may be busy."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.acceptance)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))


@pytest.fixture
def fleet(database: str, tmp_path: Path) -> Iterator[Fleet]:
    with running(tmp_path, database) as started:
        yield started


@pytest.fixture
def effects(conn: Connection) -> Connection:
    conn.cursor().execute(TABLES)
    return conn


class OwnServer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = self.start()

    def start(self) -> str:
        return embedded.ensure(self.folder, bin_dir=server_binaries())

    def crash(self) -> None:
        embedded.stop(self.folder, mode="immediate")


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnServer]:
    with open_folder("server") as folder:
        server = OwnServer(folder)
        monkeypatch.setenv("DATABASE_URL", server.url)
        yield server
        server.crash()
