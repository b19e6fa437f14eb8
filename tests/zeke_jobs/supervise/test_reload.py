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
    def __init__(self, *, whole: bool = True) -> None:
        self.reloads = 0
        self.held = False
        self.whole = whole

    def hold(self) -> None:
        self.held = True

    def reload(self) -> None:
        self.reloads += 1
        self.held = False

    def is_whole(self) -> bool:
        return self.whole


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reload, "program", lambda name: [name])
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


def test_nothing_starts_while_a_change_is_checked(file: Path, tmp_path: Path) -> None:
    running = Running()
    watching = reloader(file, running, [], "pass")
    file.write_text("version: 1 # new")
    passes = watching._passes
    held: list[bool] = []
    watching._passes = lambda check: not held.append(running.held) and passes(check)  # type: ignore[method-assign, func-returns-value]
    watching.step()
    assert (held, running.held) == ([True], False)


def test_the_supervisor_sees_a_change_before_the_next_look_for_one(file: Path) -> None:
    running: Any = Running()
    reloader(file, running, [], "pass")
    assert not running.has_changed()
    file.write_text("version: 1 # new")
    assert running.has_changed()


@pytest.mark.parametrize(
    ("whole", "said"),
    [(True, "refused; the running processes go on"), (False, "refused; missing processes start when a change passes")],
)
def test_what_is_said_of_a_refused_change_is_true_also_while_things_restart(file: Path, whole: bool, said: str) -> None:
    running = Running(whole=whole)
    watching = reloader(file, running, [], "raise SystemExit(2)")
    file.write_text("version: [")
    with capture_logs() as lines:
        watching.step()
    assert (lines[-1]["event"], running.held) == (said, True)


def test_a_look_that_fails_is_logged_and_not_the_last(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running()
    watching = reloader(file, running, [], "pass")
    looks = iter([PermissionError("not yours"), False])

    def has_changed(_: object) -> Any:
        look = next(looks, None)
        if look is None:
            watching.end()
        if isinstance(look, Exception):
            raise look
        return look

    monkeypatch.setattr(Watch, "has_changed", has_changed)
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
