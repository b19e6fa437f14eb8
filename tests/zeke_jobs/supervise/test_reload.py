import os
import sys
from pathlib import Path
from typing import Any

import pytest

from zeke_jobs.supervise import reload
from zeke_jobs.supervise.reload import Reloader, Watch


class Running:
    reloads = 0

    def reload(self) -> None:
        self.reloads += 1


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reload, "program", lambda name: [name])
    (tmp_path / "jobs.yaml").write_text("version: 1")
    return tmp_path / "jobs.yaml"


def reloader(file: Path, running: Any, lines: list[str], *codes: str) -> Reloader:
    checks = tuple((sys.executable, "-c", code) for code in codes)
    return Reloader(running, lambda _name, line: lines.append(line), os.environ, Watch([file]), checks)


def test_it_restarts_when_asked_without_a_change(file: Path) -> None:
    running = Running()
    watching = reloader(file, running, [], "pass")
    watching.ask()
    watching.step()
    watching.step()
    assert running.reloads == 1
