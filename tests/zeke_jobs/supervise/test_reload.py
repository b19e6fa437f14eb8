import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

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


def test_a_look_that_fails_is_logged_and_not_the_last(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running()
    watching = reloader(file, running, [], "pass")
    looks = iter([PermissionError("not yours"), []])

    def changed(_: object) -> Any:
        look = next(looks, None)
        if look is None:
            watching.end()
        if isinstance(look, Exception):
            raise look
        return look

    monkeypatch.setattr(Watch, "changed", changed)
    monkeypatch.setattr(reload, "_LOOK", 0.01)
    with capture_logs() as lines:
        watching.run()
    assert [line["event"] for line in lines] == ["could not look for changes; it is tried again"]


def test_a_check_ends_with_the_command(file: Path) -> None:
    watching = reloader(file, Running(), [], "import time; time.sleep(300)")
    thread = threading.Thread(target=watching.run)
    watching.ask()
    thread.start()
    end = time.monotonic() + 10
    while watching._check is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    watching.end()
    thread.join(10)
    assert not thread.is_alive()
