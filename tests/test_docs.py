"""The pages of docs/ name only things that exist. Their examples run; the site builds offline without dead links."""

import fcntl
import importlib
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import grimp
import lxml.html
import pytest
import typer.main
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.fleet import ROOT, query, scalar
from zeke_jobs import config, testing
from zeke_jobs.cli.root import app
from zeke_jobs.core import environment
from zeke_jobs.testing import FakeContext

PACKAGE, NEWS = ROOT / "zeke_jobs", ROOT / "actors"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md")}
GUIDES = ("handlers", "looking", "running", "operations", "changing", "index", "troubleshooting")
ROW = re.compile(r"^\| `([a-z/]+)/` \| [^|]+ \|$", re.MULTILINE)
MOST = 25
#: A page names a test below tests/ as the proof of a guarantee.
PROOF = re.compile(r"`([\w/]+\.py)::(\w+)`")
CHAOS = re.compile(r"`nox -s chaos -- ([a-z-]+)`")
EXPORTS = ["./schema-task", "./client", "./boss", "./schema", "./tasks", "schemaTask", "tasks.trigger", "logger"]
EXPORTS += ["sendJob", "getJobStatus", "getBoss", "concurrencyLimit", "cron", "worker:dev"]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf'^```{language}(?: title="[^"]+")?\n(.*?)^```', PAGES[page], re.MULTILINE | re.DOTALL)


def section(heading: str) -> str:
    return PAGES["architecture"].split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_page_names_each_folder_and_no_folder_has_more_modules_than_a_reader_can_survey() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}
    named = ROW.findall(section("Folders of zeke_jobs"))
    assert sorted(named) == sorted(folder.relative_to(PACKAGE).as_posix() for folder in folders)
    areas = sorted(path.parent.name for path in NEWS.glob("*/__init__.py"))
    assert sorted(ROW.findall(section("The news pipeline"))) == areas
    for folder in {path.parent for package in (PACKAGE, NEWS) for path in package.rglob("*.py")}:
        assert len({*folder.glob("*.py")} - {folder / "__init__.py"}) <= MOST, folder


@each("heading package least", ("Where is it?", PACKAGE, 30), ("The news pipeline", NEWS, 10))
def test_each_answer_is_in_at_most_three_files_that_exist(heading: str, package: Path, least: int) -> None:
    rows = [line for line in section(heading).splitlines() if line.startswith("| ") and "?" in line]
    answers = [re.findall(r"`([^`]+)`", line) for line in rows]
    assert len(answers) >= least
    for files in answers:
        assert 1 <= len(files) <= 3
        assert [file for file in files if not (package / file).is_file()] == []


def test_no_module_reaches_itself_by_its_imports_not_even_for_types() -> None:
    graph = grimp.build_graph("zeke_jobs", "actors", cache_dir=None)
    imported = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imported).prepare()  # A CycleError names the circle.


def test_the_tests_that_a_page_names_exist_and_each_promise_of_a_table_has_a_proof() -> None:
    for page, least in (("reliability", 20), ("limits", 15), ("stability", 8)):
        named = PROOF.findall(PAGES[page])
        assert len(named) >= least
        for file, test in named:
            assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), (page, file, test)
    tables = PAGES["reliability"].partition("## What is promised\n")[2].partition("\n## A job that kills")[0]
    heads = ("| promise ", "| event ")
    rows = [line for line in tables.splitlines() if line.startswith("| ") and not line.startswith(heads)]
    assert len(rows) >= 15
    assert [row for row in rows if not PROOF.search(row) and not CHAOS.search(row)] == []


def test_each_file_that_the_page_of_security_names_exists() -> None:
    named = re.findall(r"`((?:zeke_jobs|actors|tests)/[\w./]+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) >= 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_public_name_exists_and_has_a_docstring() -> None:
    for module in (zeke_jobs, testing):
        for name in set(module.__all__) - {"__version__"}:
            assert getattr(module, name).__doc__, name


def test_each_module_view_and_function_that_it_names_exists(conn: Connection) -> None:
    named = set(re.findall(r"`(zeke_jobs\.[a-z][a-z_]*)(?:\.__all__)?`", PAGES["stability"]))
    assert {"zeke_jobs.send", "zeke_jobs.job", "zeke_jobs.testing"} <= named
    for name in named - {"zeke_jobs.actors"}:
        there = "SELECT to_regclass(%s) IS NOT NULL OR EXISTS (SELECT 1 FROM pg_proc WHERE oid::regproc::text = %s)"
        if not scalar(conn, there, name, name):
            importlib.import_module(name)


def test_the_fixtures_of_the_plugin_are_those_of_the_page() -> None:
    plugin = importlib.import_module("zeke_jobs.testing.plugin")
    fixtures = {name for name in vars(plugin) if name.startswith(("zeke_", "sent_", "run_"))}
    assert {name for name in fixtures if name not in PAGES["testing"]} == {"zeke_config"}


def test_the_policy_means_what_the_page_says() -> None:
    assert "`retry: {limit: 5, delay: 10s}` tries again after about 10, 20, 40, 80 and 160 s" in PAGES["handlers"]
    text = 'version: 1\ntasks: {fetch: {handler: "pages:fetch", retry: {limit: 5, delay: 10s}}}'
    retry = config.load_text(text, "jobs.yaml", handlers=False).tasks["fetch"].retry
    assert [retry.delay.total_seconds() * retry.factor**n for n in range(retry.limit)] == [10, 20, 40, 80, 160]
    assert retry.jitter == 0.1


def options(command: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for name, sub in getattr(command, "commands", {}).items():
        yield from options(sub, f"{path} {name}".strip())
    opts = [option for param in command.params for option in param.opts]
    yield from ((path, one) for one in ["", *opts] if not one or (one.startswith("--") and one != "--help"))


#: ELSEWHERE maps commands to the pages that document the options.
ELSEWHERE = dict.fromkeys(["plan", "apply", "rollback", "set", "history", "diff", "reload"], "changing")
ELSEWHERE |= {"backtest": "backtest", "capacity": "backtest", "import pg-boss": "from-pg-boss", "audit": "operations"}


def test_every_command_and_option_is_documented() -> None:
    there = [one for one in options(typer.main.get_command(app())) if not one[0].startswith("schedule")]
    assert [path for path, _ in there if f"`{path}" not in PAGES["command-line"]] == []
    place = {
        one: "command-line" if one[1] in {"--json", "--yes"} else ELSEWHERE.get(one[0], "command-line") for one in there
    }
    assert [one for one in there if one[1] not in PAGES[place[one]]] == []


def test_each_command_exists_and_the_first_page_has_few_lines_of_code() -> None:
    commands = getattr(typer.main.get_command(app()), "commands")  # noqa: B009 (typer does not export click's group)
    for name in GUIDES:
        named = set(re.findall(r"zeke-jobs ([a-z]+)", PAGES[name]))
        assert named - set(commands) <= {"up", "s"}, (name, named - set(commands))
    code = blocks("index", "(?:python|yaml)")
    assert code
    assert sum(1 for block in code for line in block.splitlines() if line.strip()) <= 10


def test_each_export_has_an_equivalent_and_the_example_of_pg_boss_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [line.split(" | ")[0] for line in PAGES["from-pg-boss"].splitlines() if line.startswith("| ")]
    for name in EXPORTS:
        assert any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", cell) for cell in there), name
    moved: Any = types.ModuleType("moved")  # The page's jobs.yaml names this module of its Python code.
    monkeypatch.setitem(sys.modules, "moved", moved)
    [code] = blocks("from-pg-boss", "python")
    exec(code, moved.__dict__)
    [text] = blocks("from-pg-boss", "yaml")
    assert config.load_text(text, "jobs.yaml").tasks["tag-item"].concurrency.limit == 5
    ctx = FakeContext()
    item = moved.Item.model_validate({"itemId": "7a1c2b7e-9f43-4c80-8a3f-1d6f2f3f5a10"})
    assert moved.tag_item(item, ctx) == {"tagged": True}
    assert [(call.task, call.payload) for call in ctx.sent] == [("index-item", {"item_id": str(item.item_id)})]


def test_the_examples_of_limits_are_accepted_and_close_their_limit() -> None:
    (text,) = blocks("limits", "yaml")
    text = re.sub(r"handler: my_jobs\S+", "handler: tests.zeke_jobs.worker.handlers:echo", text)
    loaded = config.load_text(f"version: 1\n{text}", "jobs.yaml")
    assert str(loaded.limits["ai"].budget) == "5.00 USD/d"
    assert str(loaded.tasks["fetch-content"].rate) == "10/s, 1/s per key"
    found: dict[str, Any] = {"__name__": "example"}
    exec(next(block for block in blocks("limits", "python") if "Throttled" in block), found)
    with pytest.raises(zeke_jobs.Throttled) as raised:
        found["ask"](None, FakeContext())
    assert (raised.value.limit, raised.value.retry_after) == ("ai", 12)


VARIABLES = [value for name, value in vars(environment).items() if name.isupper() and not name.startswith("_")]


def test_every_variable_has_its_line() -> None:
    assert [variable for variable in VARIABLES if f"\n| `{variable}` |" not in PAGES["operations"]] == []
    assert set(re.findall(r"ZEKE_JOBS_\w+", PAGES["operations"])) <= set(VARIABLES), "the page names no other one"


@each(
    "variable read",
    ("CONFIG", environment.config_path), ("ENVIRONMENT", environment.installation), ("DATA", environment.data_dir),
    ("LOG_FORMAT", environment.log_format), ("LOG_LEVEL", environment.log_level), ("ASYNC", environment.async_places),
    ("HEARTBEAT", environment.heartbeat), ("LISTEN", environment.listen), ("REASON", environment.reason),
)  # fmt: skip
def test_a_variable_that_is_not_set_has_the_default_of_its_line(
    variable: str, read: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"ZEKE_JOBS_{variable}", raising=False)
    (said,) = re.findall(rf"^\| `ZEKE_JOBS_{variable}` \|.*\| (.*) \|$", PAGES["operations"], re.MULTILINE)
    default = read()
    assert said.strip("`").removeprefix("./") == (f"{default:g}" if isinstance(default, float) else str(default))


STATEMENTS = [s for block in blocks("from-pg-boss", "sql") for s in block.split(";\n") if s.strip()]
STATEMENTS += blocks("operations", "sql")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_queries_run(conn: Connection, statement: str) -> None:
    query(conn, statement)


@cache
def parsed(path: Path) -> tuple[set[str], set[str], set[str]]:
    """Return three sets for a page of the built site: its links, the files that it loads, and its anchors."""
    page = lxml.html.document_fromstring(path.read_bytes())  # type: ignore[no-untyped-call]
    loaded = "//link[@rel='stylesheet' or @rel='icon' or @rel='preconnect']/@href | //@src"
    return {*page.xpath("//a/@href")}, {*page.xpath(loaded)}, {*page.xpath("//@id")}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once for all processes of the run."""
    ours = tmp_path_factory.getbasetemp()
    folder = (ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / "site"
    away = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:1")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            env = {**os.environ, **away, "NO_MKDOCS_2_WARNING": "1"}
            done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_each_page_is_in_the_site_and_in_its_navigation_and_begins_with_the_use_of_it(site: Path) -> None:
    links, _, _ = parsed(site / "index.html")
    assert [page for page in PAGES if not (site / f"{page}.html").is_file()] == []
    assert [page for page in PAGES if not links & {f"{page}.html", f"./{page}.html"}] == []
    for page in set(PAGES) - {"index"}:
        _, _, text = PAGES[page].split("\n", 2)
        assert text.startswith("After this page you "), f"{page}: {text[:80]}"


def test_links_lead_to_pages_and_to_places_in_them_and_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page, link in [(one, link) for one in PAGES for link in parsed(site / f"{one}.html")[0]]:
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme in {"https", "mailto"}, (page, link)
            continue
        target = site / unquote(parts.path or f"{page}.html")
        target = target / "index.html" if target.is_dir() else target
        assert target.is_file(), (page, link)
        assert not parts.fragment or unquote(parts.fragment) in parsed(target)[2], (page, link)

    loads = {load for page in PAGES for load in parsed(site / f"{page}.html")[1]}
    assert {load for load in loads if urlsplit(load).scheme or load.startswith("//")} == set()
    assert all((site / urlsplit(load).path).is_file() for load in loads)


def test_the_site_adds_the_help_of_each_command_and_the_keys_of_each_model(site: Path) -> None:
    text = (site / "command-line.html").read_text(encoding="utf-8")
    assert "Usage: zeke-jobs schedule backfill" in text.partition("zeke-jobs schedule backfill --help")[2]
    text = (site / "jobs-yaml.html").read_text(encoding="utf-8").rpartition("Every key, from the models")[2]
    assert [key for key in ("version", "tasks", "per_key", "jitter") if f"<code>{key}</code>" not in text] == []
