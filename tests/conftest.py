"""The fixtures start one server per run, and give each test a migrated database."""

import fcntl
import gc
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import pytest
from psycopg2.extensions import connection as Connection

from tests import distributions, recycling
from tests.fleet import query
from zeke_jobs.postgres import embedded, migrate, roles
from zeke_jobs.postgres.pool import connect

# Examples of Hypothesis have no deadline, because their duration depends on other work on the machine.
hypothesis.settings.register_profile(
    "untimed",
    deadline=None,
    max_examples=1000 if os.environ.get("ZEKE_TEST_DEEP") else 50,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("untimed")

pytest_plugins = ["tests.figures"]


def _use_memory() -> None:
    """Put temporary files in memory, because the databases of all tests write and remove a hundred gigabytes."""
    memory = Path("/dev/shm")
    if "TMPDIR" in os.environ or not memory.is_dir() or not os.access(memory, os.W_OK):
        return
    if shutil.disk_usage(memory).free > 6 << 30 and not os.statvfs(memory).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.tempdir = str(memory)


_use_memory()
# The garbage collector would repeatedly scan the tests that pytest finds, which takes a third of the time.
gc.disable()
# If a script starts pytest in the background, Ctrl-C is ignored, and the tests' processes would inherit this.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A run that is terminated stops its server and its processes, as after Ctrl-C.
if "PYTEST_XDIST_WORKER" not in os.environ:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
# Keep compiled modules: hundreds of processes import them, and compiling takes half of the collection's time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

#: All processes of the run share one server. If root runs the tests, the server's user cannot enter pytest's folder.
RUN = os.environ.setdefault("ZEKE_TEST_RUN", uuid.uuid4().hex[:8])
FOLDER = Path(tempfile.gettempdir()) / f"zeke-test-{RUN}"
TEMPLATE = "zeke_template"
PIPELINE = ["actors.store"]


def server_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs in ``ZEKE_TEST_PG_BIN``, or None if the variable is not set."""
    named = os.environ.get("ZEKE_TEST_PG_BIN")
    return Path(named) if named else None


def pytest_collection_finish() -> None:
    # From Python 3.14 on, Hypothesis calls gc.get_objects(), which does not return frozen objects.
    if sys.version_info < (3, 14):
        gc.freeze()
    gc.enable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput") and FOLDER.exists():
        embedded.stop(FOLDER, mode="immediate")
        shutil.rmtree(FOLDER)


def at(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@pytest.fixture(scope="session")
def server_url() -> str:
    """Return the superuser's URL of this run's server; only its durability settings differ from the defaults."""
    fast = {"fsync": "off", "full_page_writes": "off"}
    return embedded.ensure(FOLDER, bin_dir=server_binaries(), settings=fast)


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """Make a migrated database for cloning, in which the four roles have their rights; return its name."""
    with (FOLDER / "template.lock").open("w") as lock, closing(connect(server_url)) as conn:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not query(conn, "SELECT 1 FROM pg_database WHERE datname = %s", TEMPLATE):
            query(conn, f"CREATE DATABASE {TEMPLATE}_new")
            url = at(server_url, f"{TEMPLATE}_new")
            with closing(connect(url)) as fresh:
                migrate.migrate(fresh, PIPELINE)
                roles.grant(fresh)
                query(fresh, "SET session_replication_role = replica; TRUNCATE zeke_jobs.audit RESTART IDENTITY")
            connect(url).close()  # The first session writes a cache of the catalogue, which all clones inherit.
            query(conn, f"ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}")
    return TEMPLATE


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the wheels of both distributions, once for all processes of the run."""
    ours = tmp_path_factory.getbasetemp()
    return distributions.build_both((ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / "wheels")


@cache
def superuser(server_url: str) -> Connection:
    """Open the connection with which this test process makes, cleans and drops databases."""
    return connect(server_url)


@contextmanager
def databases(server_url: str) -> Iterator[Callable[..., str]]:
    """Yield a function that makes an empty database, or a clone of a template; drop these databases at the end."""
    made: list[str] = []

    def make(template: str = "template1") -> str:
        made.append(clone(server_url, template))
        return at(server_url, made[-1])

    yield make
    for name in made:
        drop(superuser(server_url), name)


def clone(server_url: str, template: str) -> str:
    name = f"t_{uuid.uuid4().hex[:12]}"
    query(superuser(server_url), f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return name


def drop(conn: Connection, database: str) -> None:
    """Drop a database; ``conn`` is connected to another database."""
    recycling.end_sessions(conn, database)
    query(conn, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


@pytest.fixture
def new_database(server_url: str) -> Iterator[Callable[..., str]]:
    """Make databases: ``new_database()`` is empty, ``new_database(template)`` is a clone. Drop them at the end."""
    with databases(server_url) as make:
        yield make


@pytest.fixture(scope="module")
def module_database(server_url: str, template: str) -> Iterator[str]:
    """Return the URL of a migrated database that the tests of a module share; they must leave no traces in it."""
    with databases(server_url) as make:
        yield make(template)


#: The databases in CLEAN were used by earlier tests of the process, and are clean.
CLEAN: list[recycling.Recycled] = []


@pytest.fixture
def recycled(server_url: str, template: str) -> Iterator[recycling.Recycled]:
    """Give each test a clean migrated database that earlier tests have used."""
    server = superuser(server_url)
    if CLEAN:
        one = CLEAN.pop()
    else:
        name = clone(server_url, template)
        one = recycling.Recycled(at(server_url, name), name)
    yield one
    if one.clean(server):
        CLEAN.append(one)
    else:
        drop(server, one.name)


@pytest.fixture
def database(recycled: recycling.Recycled, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of the test's migrated database, and set ``DATABASE_URL``."""
    monkeypatch.setenv("DATABASE_URL", recycled.url)
    return recycled.url


@pytest.fixture
def conn(recycled: recycling.Recycled, database: str) -> Connection:
    return recycled.connection()


@pytest.fixture
def other_conn(database: str) -> Iterator[Connection]:
    with closing(connect(database)) as connection:
        yield connection
