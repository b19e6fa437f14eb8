import os
import sys
from pathlib import Path
from typing import Any

import pytest

from zeke_jobs import reloading
from zeke_jobs.reloading import Reloader
from zeke_jobs.watching import Watch


class Running:
    def __init__(self) -> None:
        self.reloads = 0

    def reload(self) -> None:
        self.reloads += 1


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reloading, "program", lambda name: [name])
    (tmp_path / "jobs.yaml").write_text("version: 1")
    return tmp_path / "jobs.yaml"


def reloader(file: Path, running: Any, lines: list[str], *codes: str) -> Reloader:
    checks = tuple((sys.executable, "-c", code) for code in codes)
    return Reloader(running, lambda _name, line: lines.append(line), os.environ, Watch([file]), checks)


def test_nothing_happens_while_nothing_changes(file: Path) -> None:
    running = Running()
    reloader(file, running, []).step()
    assert running.reloads == 0


def test_a_change_that_passes_its_checks_restarts(file: Path) -> None:
    running, lines = Running(), list[str]()
    watching = reloader(file, running, lines, "print('fine')", "pass")
    file.write_text("version: 1 # new")
    watching.step()
    watching.step()
    assert running.reloads == 1
    assert lines == []


def test_a_change_that_fails_a_check_restarts_nothing_and_says_why(file: Path) -> None:
    running, lines = Running(), list[str]()
    watching = reloader(file, running, lines, "print('jobs.yaml:1:1: error: no'); raise SystemExit(2)")
    file.write_text("version: [")
    watching.step()
    assert running.reloads == 0
    assert lines == ["jobs.yaml:1:1: error: no"]


def test_after_a_failed_check_later_ones_do_not_run(file: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    watching = reloader(file, Running(), [], "raise SystemExit(2)", f"open({str(mark)!r}, 'w')")
    file.write_text("version: [")
    watching.step()
    assert not mark.exists()


def test_it_restarts_when_asked_without_a_change(file: Path) -> None:
    running = Running()
    watching = reloader(file, running, [], "pass")
    watching.ask()
    watching.step()
    watching.step()
    assert running.reloads == 1
