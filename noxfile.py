"""All that is run on this project: `nox --list` shows it, `nox -s NAME` runs one.

Each session makes its own virtual environment below .nox/ with the versions of constraints.txt.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = False  # a Python that is not here is skipped, and said so

PYPROJECT = nox.project.load_toml("pyproject.toml")
DEV = nox.project.dependency_groups(PYPROJECT, "dev")
#: Both distributions as they stand here, with an embedded server; and all that the tests use.
OURS = ("--editable", ".[embedded]", "--editable", "actors")
ALL = ("--editable", ".[dev,django,mcp,otel,plot,psycopg]", "--editable", "actors", *DEV)
CONSTRAINTS = "constraints.txt"
CONSTRAINTS_WITH_HASHES = "constraints-hashes.txt"
#: How uv writes versions: for all supported Pythons at once, without our own packages and without an index's address.
PINNED = (
    *("--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url"),
    *("--no-emit-package", "zeke-jobs", "--no-emit-package", "zeke-news"),
)
#: The pips of Debian 12 and of Python 3.12, and the newest.
PIPS = ("pip==23.0.1", "pip==23.2.1", "pip")
OTHER_PYTHONS = ("3.12", "3.13", "3.14")
BENCH_PEERS = ("pgqueuer[asyncpg]>=1.6,<2",)
#: Folders and files with tests of the real command lines, so that pytest need not read others to find them. The longest ones come
#: first.
ACCEPTANCE = (
    "tests/lab/test_laboratories.py",
    *(f"tests/actors/ai/test_{part}.py" for part in ("batches", "embed_story")),
    *("tests/acceptance", "tests/test_readme.py"),
)
#: The tests that run on the system's own PostgreSQL too, where its version and its defaults matter: functions, plans, views,
#: migrations, and the pipeline once.
ON_DEBIANS_SERVER = (
    *(f"tests/zeke_jobs/worker/test_{part}_sql.py" for part in ("claim", "limits", "rescue")),
    *(f"tests/zeke_jobs/worker/test_{part}.py" for part in ("explain", "batches", "orders", "server_settings")),
    *(f"tests/zeke_jobs/{part}.py" for part in ("client/test_send_sql", "diagnosis/test_why", "metrics/test_exporter")),
    *(f"tests/zeke_jobs/postgres/test_{part}.py" for part in ("migrate", "roles", "statements", "views")),
    "tests/actors/store",
    "tests/lab/test_laboratories.py::test_whatever_fails_every_item_ends_as_planned_and_every_text_is_one_story",
    *("-k", "not whatever_statement_breaks"),  # this is on our side
)
#: Workers' tests, and two of the command lines.
ON_DRAMATIQ_2 = (
    *(f"tests/zeke_jobs/worker/test_{part}.py" for part in ("running", "as_dramatiq", "middleware", "coroutines")),
    *(
        f"tests/acceptance/test_workers.py::test_{name}"
        for name in (
            "a_limit_holds_over_two_commands_and_every_job_runs_once",
            "sigterm_lets_running_jobs_finish_and_hands_the_rest_back",
        )
    ),
)

#: The parts of the tests, in the order in which they run. The quick ones come first.
PARTS = {
    "unit": "tests of the code and of the SQL on the embedded server",
    "acceptance": "tests that start the real command lines",
    "debian": "tests of SQL, engine and pipeline on the system's own PostgreSQL, as Debian sets it up",
    "dramatiq-2": "workers on Dramatiq 2, which dramatiq-pg's metadata forbid",
}
#: Checked before the tests.
LINT = ("ruff check .", "ruff format --check .")
CHECKS = (*LINT, "lint-imports --no-cache")
CORES = os.cpu_count() or 1
PARALLEL = ("--dist=worksteal", "--durations=10", "--durations-min=2")
CACHE = Path(".pytest_cache")  # with a folder for each part, since two may run at the same time

FIRST_WORDS = {
    "demo": "from feeds to briefs, on this machine: half a minute, of which ten seconds are for the packages",
    "tests": "all that CI runs: half a minute for the packages, then some ten minutes on two cores",
}
# Printed here, because nox makes an environment before it calls a session, which takes a while.
for asked in sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]:
    if asked in FIRST_WORDS and "-R" not in sys.argv:
        print(f"{asked}: {FIRST_WORDS[asked]}", file=sys.stderr, flush=True)


def install(session: nox.Session, *requirements: str) -> None:
    """Install the versions of constraints.txt: by uv, in a fifth of the time, or by pip where uv reaches no index."""
    wanted = ("--constraint", CONSTRAINTS, *requirements)
    location = getattr(session.virtualenv, "location", None)
    if location is not None:  # with --no-venv --no-install the packages are those of nox
        tool = Path(location).absolute() / "uv"
        by_uv = (
            str(tool / "bin" / "uv"),
            "pip",
            "install",
            "--compile-bytecode",
            "--python",
            str(tool.parent / "bin" / "python"),
        )
        try:
            session.install("--quiet", "--target", str(tool), "uv")
            # The system's certificates, as pip takes them, by the names of old and new versions of uv.
            certificates = {"UV_NATIVE_TLS": "true", "UV_SYSTEM_CERTS": "true"}
            session.run_install(*by_uv, *wanted, external=True, env=certificates)
        except nox.command.CommandFailed:
            session.warn("uv cannot install the packages here, so pip does")
        else:
            return
    session.install(*wanted, silent=False)


def run_servers(session: nox.Session, module: str) -> None:
    """Run a module that starts servers: after Ctrl-C it gets time to stop them. Nox's own half a second leaves them running."""
    session.run("python", "-m", module, *session.posargs, interrupt_timeout=90.0, terminate_timeout=30.0)


@nox.session
def demo(session: nox.Session) -> None:
    """A feed becomes a brief, in a minute: nox -s demo [-- FEED-URL …]."""
    install(session, *OURS)
    run_servers(session, "actors.demo")


@nox.session
def tests(session: nox.Session) -> None:
    """All that CI runs: lint, types, imports, and the tests on a real Postgres: nox -s tests [-- --strict | PYTEST-ARGUMENTS]."""
    install(session, *ALL)
    if set(session.posargs) - {"--strict"}:
        session.run("pytest", *session.posargs)
        return
    session.log("lint, imports; types, which use one core, beside the first tests")
    path = os.pathsep.join([*(session.bin_paths or ()), os.environ["PATH"]])
    types = subprocess.Popen([shutil.which("mypy", path=path) or "mypy"], stdout=subprocess.DEVNULL)
    failed = _failed_checks(session, CHECKS)
    session.log("tests: over five thousand, a line of dots for each hundredth")
    _run(session, *PARTS, checks=failed, types=types)


def _tests_of(part: str) -> Callable[[nox.Session], None]:
    def run(session: nox.Session) -> None:
        install(session, *ALL)
        _run(session, part)

    run.__doc__ = f"{PARTS[part]}: nox -s {part} [-- --strict]."
    return run


for name in PARTS:
    nox.session(default=False, name=name)(_tests_of(name))


def _tests_on(session: nox.Session) -> None:
    """The tests without acceptance, on another Python, where it is installed."""
    install(session, *ALL)
    _run(session, "unit")


for version in OTHER_PYTHONS:
    nox.session(python=version, name=f"tests-{version}")(_tests_on)


#: Quick tests of the parts that a new Python may break first: reading of files and annotations, and workers' threads.
ON_THE_NEWEST = (
    *(f"tests/zeke_jobs/{part}" for part in ("config", "core", "cron", "payload")),
    "tests/zeke_jobs/worker/test_running.py",
)


@nox.session(default=False, python=OTHER_PYTHONS[-1])
def newest(session: nox.Session) -> None:
    """The newest Python, where it is installed: the quick tests, workers, and the demo, in a minute."""
    tools = (r for r in DEV if r.startswith(("hypothesis", "jsonschema", "psutil", "pytest-")))
    install(session, "--editable", ".[dev,psycopg]", "--editable", "actors", *tools)
    _run(session, "newest")
    run_servers(session, "actors.demo")


@nox.session(default=False, python="3.11")
def pips(session: nox.Session) -> None:
    """Old and new pips find versions for both distributions with all extras: a minute for all of them at once."""
    found = []
    for pip in PIPS:
        folder = Path(session.create_tmp()).absolute() / pip
        session.install("--quiet", "--target", str(folder), pip)
        command = [str(Path(session.bin, "python")), str(folder / "pip"), "install", "--quiet", "--dry-run"]
        found.append(
            subprocess.Popen(
                [*command, ".[dev,otel,plot,psycopg]", "./actors[local]"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    failed = [f"{pip}: {one.communicate()[0]}" for pip, one in zip(PIPS, found, strict=True) if one.wait()]
    if failed:
        session.error("\n".join(failed))


@nox.session(default=False)
def kubernetes(session: nox.Session) -> None:
    """The manifests fit the schemas of an old and of the newest Kubernetes, to the letter."""
    session.install("--quiet", "kubernetes-validate")
    for version in ("1.31", "1.37"):
        files = map(str, sorted(Path("docker/kubernetes").glob("*.yaml")))
        session.run("kubernetes-validate", "--strict", "--kubernetes-version", version, *files)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: its rules and its format."""
    install(session, *(requirement for requirement in DEV if requirement.startswith("ruff")))
    for command in LINT:
        session.run(*command.split())


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, over the code and the tests."""
    install(session, *ALL)
    session.run("mypy", *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """Check the import contracts in pyproject.toml."""
    install(session, *OURS, *(r for r in DEV if r.startswith("import-linter")))
    session.run("lint-imports", "--no-cache")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation as a site in site/, and refuse links that lead nowhere: nox -s docs [-- --serve]."""
    install(session, *OURS, *(requirement for requirement in DEV if requirement.startswith("mkdocs")))
    command = ["serve"] if "--serve" in session.posargs else ["build"]
    session.run("mkdocs", *command, "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(default=False)
def schema(session: nox.Session) -> None:
    """Write zeke_jobs/sql/schema.sql again, after a change of the SQL."""
    install(session, *OURS)
    session.run("python", "-m", "tests.zeke_jobs.postgres.schema_dump")


@nox.session(default=False)
def quality(session: nox.Session) -> None:
    """Measure the quality of full text, likeness, embeddings, highlights and the gate, with lists and a table: nox -s quality."""
    install(session, *ALL)
    session.run("pytest", "-q", "-rP", "-m", "quality", *session.posargs, env={"ZEKE_TEST_DEEP": "1"})


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """200 feeds while everything fails now and then and workers are killed: nox -s soak [-- --server PATH --sources N …]."""
    install(session, *OURS, "psutil")
    run_servers(session, "tests.lab.soak")


@nox.session(default=False)
def events(session: nox.Session) -> None:
    """Same event beside a comparison of all, at up to 100,000 stories: nox -s events [-- --server PATH …]."""
    install(session, *ALL)
    session.run("python", "-m", "tests.lab.events", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Speed beside the peers, as a table: nox -s bench [-- [--quick] [--server PATH] [MEASURE …]]."""
    install(session, *OURS, "psutil", *BENCH_PEERS)
    run_servers(session, "tests.lab.bench")


@nox.session(default=False)
def endure(session: nox.Session) -> None:
    """A steady 500 jobs a second, by the minute: nox -s endure [-- [--minutes N] [--server PATH] …]."""
    install(session, "--editable", ".", "psutil")
    run_servers(session, "tests.lab.endure")


@nox.session(default=False)
def chaos(session: nox.Session) -> None:
    """Break one thing after another under load, as a table: nox -s chaos [-- [--quick] [--server PATH] [SCENARIO …]]."""
    install(session, *ALL)
    run_servers(session, "tests.lab.chaos")


@nox.session(default=False)
def validate(session: nox.Session) -> None:
    """Predict the waits of real runs by a backtest, run them, compare: nox -s validate [-- --seconds N]."""
    install(session, *OURS, "psutil")
    run_servers(session, "tests.lab.validate")


@nox.session(default=False)
def constraints(session: nox.Session) -> None:
    """Write constraints.txt and constraints-hashes.txt again, for all supported Pythons: nox -s constraints [-- --upgrade]."""
    session.install("--quiet", "uv")
    command = ["uv", "pip", "compile", "pyproject.toml", "actors/pyproject.toml", "--quiet"]
    extras = ["django", "embedded", "local", "mcp", "otel", "plot", "psycopg"]
    command += [word for extra in extras for word in ("--extra", extra)]
    session.run(*command, *PINNED, "--extra", "dev", "--group", "dev", "--output-file", CONSTRAINTS, *session.posargs)
    hashed = ["--generate-hashes", "--constraint", CONSTRAINTS, "--output-file", CONSTRAINTS_WITH_HASHES]
    session.run(*command, *PINNED, *hashed, "--upgrade")  # to the versions of the other file


def _failed_checks(session: nox.Session, commands: Iterable[str]) -> list[str]:
    """Run each of these commands, also after one has failed."""
    failed = []
    for command in commands:
        try:
            session.run(*command.split())
        except nox.command.CommandFailed:
            failed.append(command)
    return failed


def _run(
    session: nox.Session, *parts: str, checks: Sequence[str] = (), types: subprocess.Popen[bytes] | None = None
) -> None:
    """Run each of these parts of the tests, also after one has failed; then once more the checks that had failed, also mypy.

    Tests that fail beside others run once more, one by one: those that pass then are flaky. Real processes wait for one another
    in real seconds, which a machine that is short of them may not keep.
    """
    failed, flaky = [], []
    for part in parts:
        selected = _selected(session, part)
        if selected is None:
            session.log(f"{part}: left out, since this machine has not what it needs")
            continue
        arguments, env = selected
        session.log(f"{part}: {PARTS.get(part, 'what a new Python may break first')}")
        last_failed = CACHE / part / "v" / "cache" / "lastfailed"
        last_failed.unlink(missing_ok=True)
        arguments = (*arguments, "-o", f"cache_dir={CACHE / part}")
        try:
            # More than cores: tests wait for their server, and those of acceptance for leases, polls and stops. But each process
            # needs seconds to find them.
            processes = CORES + (3 if part == "acceptance" else 2 if session.name == "unit" else 1)
            session.run("pytest", *arguments, f"--numprocesses={processes}", *PARALLEL, env=env)
        except nox.command.CommandFailed:
            again = list(json.loads(last_failed.read_text())) if last_failed.exists() else []
            session.warn(f"{len(again)} failed beside others: they run once more, one by one, and must pass")
            try:
                session.run("pytest", *arguments, "--last-failed", "--last-failed-no-failures=none", "-rA", env=env)
                flaky += again
            except nox.command.CommandFailed:
                failed.append(part)
    for test in flaky:
        session.warn(f"flaky, passed only alone: {test}")
    if types and types.wait():
        checks = (*checks, "mypy")
    failed = [*_failed_checks(session, checks), *failed]
    if failed:
        session.error(f"failed: {', '.join(failed)}")
    if flaky and "--strict" in session.posargs:
        session.error("tests passed only alone, which --strict refuses")


def _selected(session: nox.Session, part: str) -> tuple[tuple[str, ...], dict[str, str]] | None:
    """Arguments and environment for pytest; None where this machine has not what the part needs."""
    if part == "debian":
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        return (ON_DEBIANS_SERVER, {"ZEKE_TEST_PG_BIN": str(found[-1].parent)}) if found else None
    if part == "dramatiq-2":
        before_others = {"PYTHONPATH": str((CACHE / part / "packages").absolute())}
        session.install("--quiet", "--no-deps", "--upgrade", "--target", before_others["PYTHONPATH"], "dramatiq>=2,<3")
        return (ON_DRAMATIQ_2, before_others) if Path(before_others["PYTHONPATH"]).is_dir() else None
    if part == "newest":
        return ON_THE_NEWEST, {}
    if part == "acceptance":
        return ("-m", "acceptance", *ACCEPTANCE), {}
    # Together with the short form of nox -s quality, unless only the quick part is asked for: tests are found once for both.
    return ("-m", "not acceptance and not quality" if session.name == "unit" else "not acceptance"), {}


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of all that constraints.txt names, where advisories can be reached."""
    session.install("--quiet", "pip-audit")
    session.run("python", "-m", "tests.advisories")


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """All that a release publishes, in dist/: built twice and equal, checked, installed, tried, with notes: nox -s release."""
    install(session, *OURS, "psutil", *(r for r in DEV if r.startswith(("hatchling", "packaging"))))
    session.run("python", "-m", "tests.release", "dist")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Both distributions in dist/: wheel, source archive, all that a deployment installs by hash, and an SBOM of that."""
    shutil.rmtree("dist", ignore_errors=True)
    session.install("--quiet", "pip", "uv", "cyclonedx-bom", *(r for r in DEV if r.startswith("hatchling")))
    wheels: list[str] = []
    for name, folder, module in (("zeke_jobs", ".", "zeke_jobs.cli"), ("zeke_news", "actors", "actors.cli")):
        dist = Path("dist").absolute()
        with session.chdir(folder):
            session.run("hatchling", "build", "--directory", str(dist))
        [wheel] = dist.glob(f"{name}-*.whl")
        wheels.append(str(wheel))
        stem = str(wheel).removesuffix("-py3-none-any.whl")
        projects = ["pyproject.toml"] if folder == "." else ["pyproject.toml", f"{folder}/pyproject.toml"]
        pinned = ["--extra", "otel", "--constraint", CONSTRAINTS_WITH_HASHES, "--output-file", f"{stem}.txt"]
        session.run("uv", "pip", "compile", "--quiet", *projects, *PINNED, "--generate-hashes", *pinned)
        installed = Path(session.create_tmp()) / name
        session.run("python", "-m", "venv", "--clear", "--without-pip", str(installed))
        python = str(installed / "bin" / "python")
        pip = ["python", "-m", "pip", "--python", python, "install", "--quiet"]
        session.run(*pip, "--require-hashes", "--requirement", f"{stem}.txt")
        session.run(*pip, "--no-deps", *wheels)
        session.run(python, "-c", f"import {module}", external=True)
        size = sum(file.stat().st_size for file in (installed / "lib").rglob("*") if file.is_file()) / 1e6
        session.log(f"{name} with otel: {size:.0f} MB")
        form = ["--pyproject", projects[-1], "--output-reproducible", "--output-file", f"{stem}.cdx.json"]
        session.run("cyclonedx-py", "environment", *form, python)
