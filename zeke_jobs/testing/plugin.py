"""Is a pytest plugin: put ``pytest_plugins = ["zeke_jobs.testing.plugin"]`` into the conftest.py beside jobs.yaml.

A conftest.py can override each fixture, as usual in pytest.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from zeke_jobs import config
from zeke_jobs.core import environment
from zeke_jobs.postgres import embedded
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing.running import Clock, JobRunner, prepare
from zeke_jobs.testing.sends import SentJobs

_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_EMPTY = """
TRUNCATE zeke_jobs.queue, zeke_jobs.unique_holder, zeke_jobs.lease, zeke_jobs.worker, zeke_jobs.history, zeke_jobs.job_log,
  zeke_jobs.bucket_key, zeke_jobs.bucket_change, zeke_jobs.unit_use, zeke_jobs.breaker_end CASCADE
"""


@pytest.fixture(scope="session")
def zeke_config() -> config.Config:
    """Return the checked configuration in ``ZEKE_JOBS_CONFIG``, by default in jobs.yaml of the current folder."""
    return config.load(environment.config_path())


@pytest.fixture
def sent_jobs(zeke_config: config.Config) -> Iterator[SentJobs]:
    """Yield the list of jobs that the program sends. The jobs are checked as in production, but without a database."""
    with SentJobs(zeke_config).standing_in() as sent:
        yield sent


@pytest.fixture(scope="session")
def zeke_database_url() -> Iterator[str]:
    """Yield the URL of a database server for the tests, and remove the server at the end. Needs zeke-jobs[embedded]."""
    folder = Path(tempfile.mkdtemp(prefix="zeke-jobs-test-"))
    folder.chmod(0o755)  # the server may run as another user
    try:
        yield embedded.ensure(folder / "server", settings=_FAST)
    finally:
        embedded.stop(folder / "server", mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def zeke_database(zeke_database_url: str, zeke_config: config.Config) -> Iterator[str]:
    """Yield the URL of a database with all tables and with jobs.yaml in force. ``DATABASE_URL`` is set to this URL."""
    prepare(zeke_database_url, zeke_config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", zeke_database_url)
        yield zeke_database_url


@pytest.fixture
def run_jobs(zeke_database: str, zeke_config: config.Config) -> Iterator[JobRunner]:
    """Yield a function that runs the jobs that the test has sent, with the real handlers. Each test begins without jobs."""
    with closing(connect(zeke_database)) as conn, conn.cursor() as cursor:
        cursor.execute(_EMPTY)
    runner = JobRunner(zeke_config, zeke_database)
    yield runner
    runner.close()


@pytest.fixture
def zeke_clock(zeke_database: str) -> Iterator[Clock]:
    """Yield the clock that decides whether jobs are due. After the test, the clock runs on normally."""
    clock = Clock(zeke_database)
    yield clock
    clock.release()
