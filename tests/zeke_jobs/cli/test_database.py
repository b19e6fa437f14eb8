"""These tests cover the database that a command uses, and ``migrate``, which makes the tables."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.each import each
from tests.zeke_jobs.commands import Cli
from zeke_jobs.cli.database import choose
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.own_server import server_folder


def test_an_address_or_a_start_is_asked_for_and_a_stopped_server_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZEKE_JOBS_DATA", str(tmp_path / ".zeke"))
    never = r"address in DATABASE_URL, got nothing\n  help: start `zeke-jobs up` in this folder, or "
    with pytest.raises(ConfigurationError, match=never):
        choose()
    server_folder(tmp_path / ".zeke").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"one that is stopped\n  help: zeke-jobs up starts it again"):
        choose()


def test_migrate_applies_what_is_missing_and_check_says_what_would_be(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())
    (tmp_path / "jobs.yaml").write_text("version: 1\nmigrations: [actors.store]\ntasks: {a: {handler: 'not_yet:a'}}\n")
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(tmp_path / "jobs.yaml"))
    waiting = cli("migrate", "--check", "--json")
    assert waiting.status == 4
    assert waiting.json["pending"][0] == "zeke_jobs/0000_dramatiq_pg.sql"
    assert any(name.startswith("actors.store/") for name in waiting.json["pending"])
    applied = cli("migrate")
    assert applied.status == 0
    assert applied.out.endswith(
        f"{len(waiting.json['pending'])} applied; the database is up to date with zeke_jobs, actors.store\n"
    )
    assert cli("migrate", "--check").status == 0
    assert cli("migrate", "--json").json == {"applied": []}


def test_migrate_finds_packages_in_the_current_folder(
    cli: Cli, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "found_here" / "migrations"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "0001_one.sql").write_text("CREATE TABLE found_here ();")
    (tmp_path / "jobs.yaml").write_text("version: 1\nmigrations: [found_here]\ntasks: {a: {handler: 'not_yet:a'}}\n")
    monkeypatch.setenv("DATABASE_URL", new_database())
    monkeypatch.delenv("ZEKE_JOBS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry])
    applied = cli("migrate")
    assert (applied.status, applied.err) == (0, "")
    assert "applied found_here/0001_one.sql" in applied.out


@pytest.mark.usefixtures("database")
@each(
    ("named", "said"),
    [
        ("jobs.yml", "jobs.yml, got no such file"),
        (".", "expected a readable file at ., got Is a directory"),
        ("latin.yaml", "latin.yaml:1:3: error: expected UTF-8, got the byte 0xe9"),
    ],
)
def test_migrate_refuses_a_jobs_yaml_that_cannot_be_read(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("# \xe9\nversion: 1\n".encode("latin-1"))
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", named)
    for arguments in ([], ["--check"]):
        ran = cli("migrate", *arguments)
        assert (ran.status, ran.out, said in ran.err) == (2, "", True)


def test_migrate_needs_no_jobs_yaml_where_none_is_named(
    cli: Cli, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ZEKE_JOBS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    assert cli("migrate", "--check").status == 0
