import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from structlog.testing import capture_logs

from tests.fleet import is_at_work
from tests.waiting import eventually
from tests.zeke_jobs.commands import Patch
from zeke_jobs.cli.operation.up import write_line
from zeke_jobs.supervise import reload
from zeke_jobs.supervise.reload import Reloader, Watch, program, system
from zeke_jobs.supervise.supervisor import Command, Supervisor, pause

SERVE = """
    import signal, sys, time
    def end(*_):
        print("ended"); sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    print("ready")
    while True: time.sleep(0.05)
"""
STUBBORN = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready")
    while True: time.sleep(0.05)
"""
ENV = {"DATABASE_URL": "postgresql://localhost/db"}


def python(name: str, code: str, first: str = "") -> Command:
    return Command(name, [sys.executable, "-u", "-c", f"{first}\n{textwrap.dedent(code)}"])


class Supervised(Supervisor):
    """A test runs each step of this supervisor and sets its clock."""

    def __init__(self, commands: tuple[Command, ...], **options: Any) -> None:
        self.now, self.lines = 1000.0, list[tuple[str, str]]()
        write = options.pop("write", lambda name, line: self.lines.append((name, line)))
        super().__init__(commands, write, clock=lambda: self.now, **options)

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.lines if who == name]

    def until(self, condition: Callable[[], bool]) -> None:
        def met() -> bool:
            if not (is_met := condition()):
                self.step()
            return is_met

        eventually(met, 10.0)

    def says(self, *lines: str, name: str = "a") -> None:
        """Step until the command has printed exactly these lines."""
        self.until(lambda: self.of(name) == [*lines])

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.step()

    def dies(self) -> None:
        os.kill(self.pids["a"], signal.SIGKILL)
        self.until(lambda: "a" not in self.pids)

    def ends(self) -> None:
        self.until(lambda: not self.step())


Started = Callable[..., Supervised]


@pytest.fixture
def started() -> Iterator[Started]:
    """Start commands, by default one server, and wait until all are ready."""
    all_of_them: list[Supervised] = []

    def start(*commands: Command, is_ready: bool = True, **options: Any) -> Supervised:
        one = Supervised(commands or (python("a", SERVE),), **options)
        all_of_them.append(one)
        one.step()
        if is_ready:
            one.until(lambda: all("ready" in one.of(command.name) for command in one.commands))
        return one

    yield start
    for one in all_of_them:
        for pid in one.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        one.stop()
        one.ends()


def test_a_child_that_dies_is_started_again_after_its_pause_the_shortest_if_it_ran_for_long(started: Started) -> None:
    assert [pause(n) for n in (1, 2, 3, 4, 50)] == [0.5, 1, 2, 4, 30]
    one = started()
    first = one.pids["a"]
    for _ in range(4):
        one.dies()
        one.later(31)
    one.now += 31
    one.dies()
    one.later(0.4)
    assert "a" not in one.pids
    one.later(0.2)
    assert one.pids["a"] != first


def test_a_child_that_does_not_end_in_its_grace_time_or_at_a_second_stop_is_killed(started: Started) -> None:
    early = "before its grace time was over: asked to stop again"
    for grace, passed, stops, why in ((5.0, 5.1, 0, "after its grace time"), (3600.0, 1.0, 1, early)):
        one = started(python("a", STUBBORN), grace=grace)
        one.stop()
        one.stop()  # timeout(1) sends its signal twice.
        one.step()
        one.now += passed - 0.2
        one.step()
        assert "a" in one.pids
        one.now += 0.2
        for _ in range(stops):
            one.stop()
        with capture_logs() as lines:
            one.until(lambda: not one.pids)  # noqa: B023 (it is called at once)
        assert [line["event"] for line in lines] == [f"killed {why}"]


FORKS = """
    import os, signal, sys, time
    child = os.fork()
    who = "main" if child else "worker"
    def end(*_):
        os.write(1, f"{who} got SIGTERM\\n".encode())
        if child: os.kill(child, signal.SIGURG); os.waitpid(child, 0)
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGURG, lambda *_: sys.exit(0))  # seen after a SIGTERM that came before
    os.write(1, f"ready\\n{child}\\n".encode())  # in one piece: two processes write here
    while True: time.sleep(0.05)
"""


def test_sigterm_goes_to_the_main_process_alone_and_what_a_killed_one_leaves_behind_is_ended(started: Started) -> None:
    one = started(python("a", FORKS), python("b", FORKS))
    one.until(lambda: len(one.of("a")) == len(one.of("b")) == 4)
    (orphan,) = {*one.of("a")} - {"ready", "0"}
    one.dies()
    one.until(lambda: not is_at_work(int(orphan)))
    one.stop()
    one.ends()
    assert [line for line in one.of("b") if "SIGTERM" in line] == ["main got SIGTERM"]


def test_a_configuration_error_is_tried_again_while_watching(started: Started) -> None:
    one = started(python("a", "print('tried'); raise SystemExit(2)"), is_ready=False, retries=True)
    one.until(lambda: not one.pids)
    one.later(0.6)
    one.says("tried", "tried")
    one.reload()
    one.says("tried", "tried", "tried")


def test_after_a_crash_or_in_a_reload_a_wrong_file_is_tried_until_it_is_right(started: Started, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    look = f"import os; os.path.exists({str(broken)!r}) and (print('refused'), exit(2))"
    one = started(python("a", SERVE, f"{look}; print(os.environ.get('ZEKE_JOBS_RESTART'))"), python("b", SERVE))
    said = ["None", "ready"]
    for end, again in ((one.dies, "1"), (one.reload, "None")):
        one.now += 6  # The program has read its configuration by then.
        broken.touch()
        end()
        said += ["ended"] * (end == one.reload) + ["refused"]
        one.later(30 * (end == one.dies))
        one.says(*said)
        one.until(lambda: "a" not in one.pids)
        broken.unlink()
        one.later(30)
        said += [again, "ready"]  # A process learns that it starts again after a crash.
        one.says(*said)
    assert ("refused" in one.of("b"), one.status) == (False, 0)


def test_a_command_that_cannot_be_started_is_tried_again_and_one_nobody_listens_to_is_read_on(started: Started) -> None:
    with capture_logs() as lines:
        one = started(Command("a", ["/nowhere/a-program"]), python("b", SERVE), is_ready=False)
        one.says("ready", name="b")
        one.later(0.6)
    said = [(f"cannot be started, tried again in {seconds} s", "a") for seconds in ("0.5", "1")]
    assert [(line["event"], line["command"]) for line in lines] == said
    taken: list[str] = []

    def write(_name: str, line: str) -> None:
        taken.append(line)
        raise BrokenPipeError

    one = started(python("a", "for n in range(3): print(n)"), is_ready=False, write=write)
    one.until(lambda: taken[:3] == ["0", "1", "2"])


def test_when_the_supervisor_itself_fails_nothing_runs_on(started: Started, monkeypatch: Patch) -> None:
    one = started(python("a", STUBBORN))
    (pid,) = one.pids.values()
    monkeypatch.setattr(Supervised, "step", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.run()
    monkeypatch.undo()
    one.until(lambda: not is_at_work(pid))


GUARDED = """
import subprocess, sys, time
from zeke_jobs.supervise.guardian import Guardian
guardian = Guardian(0.3)
process = subprocess.Popen([sys.executable, "-u", "-c", sys.argv[1]], stdout=subprocess.PIPE, start_new_session=True)
process.stdout.readline()
guardian.tell([process.pid])
print(process.pid, flush=True)
time.sleep(60)
"""


def test_what_a_killed_supervisor_leaves_behind_is_killed_after_its_grace() -> None:
    command = [sys.executable, "-c", GUARDED, textwrap.dedent(STUBBORN)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    try:
        eventually(lambda: not is_at_work(pid), 10)
    finally:
        if is_at_work(pid):
            os.killpg(pid, signal.SIGKILL)


def test_workers_hand_jobs_back_before_a_kill_and_logs_are_readable(tmp_path: Path, monkeypatch: Patch) -> None:
    for grace, for_jobs in ((50.0, "30000"), (15.0, "1000")):
        assert system(ENV, grace=grace)[0].argv[-2:] == ["--worker-shutdown-timeout", for_jobs]
    (tmp_path / "dramatiq").write_text("")
    monkeypatch.setattr(sys, "executable", "/usr/bin/a-python")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "zeke-jobs")])
    assert program("dramatiq") == ["/usr/bin/a-python", str(tmp_path / "dramatiq")]
    for more, form in (({}, "console"), ({"ZEKE_JOBS_LOG_FORMAT": "json"}, "json")):
        for command in system({**ENV, **more}, on_terminal=True):
            assert (command.environment or {})["ZEKE_JOBS_LOG_FORMAT"] == form
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    with structlog.testing.capture_logs() as lines:
        for name in ("up", "workers", "check"):
            write_line(name, "a line")
            write_line(name, "")
    said = [(line["log_level"], line["event"].split()[0]) for line in lines]
    assert said == [("info", "a"), ("error", "a"), ("error", "a")]


def test_edited_new_and_removed_code_and_texts_are_named_once_and_no_tests_or_caches(tmp_path: Path) -> None:
    code, file, later = tmp_path / "code", tmp_path / "jobs.yaml", tmp_path / "later.yaml"
    for folder in ("__pycache__", ".hidden", "tests", "shop/prompts"):
        (code / folder).mkdir(parents=True)
    for made in (code / "a.py", code / "shop/__init__.py", file):
        made.touch()
    watched = Watch([code, file, later])
    assert watched.changed() == []
    file.write_text("version: 2")
    os.utime(file, (1, 1))
    (code / "a.py").unlink()
    for made in (code / "b.py", code / "contest.py", code / "shop/prompts/ask.md", later):
        made.touch()
    left_out = ["__pycache__/a.py", ".hidden/c.py", "notes.log", "report.md", "shop/sold.csv"]
    for name in [*left_out, "test_a.py", "a_test.py", "conftest.py", "tests/a.py"]:
        (code / name).touch()
    named = [code / name for name in ("a.py", "b.py", "contest.py", "shop/prompts/ask.md")]
    assert watched.changed() == [*named, file, later]
    assert watched.changed() == []


def test_a_check_that_could_not_be_started_is_tried_again(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(reload, "_LOOK", 0.01)
    programs = iter([None, [sys.executable]])
    monkeypatch.setattr(reload, "program", lambda _: [*next(programs)])  # type: ignore[misc] # the first raises
    running = Mock()
    watching = Reloader(running, Mock(), os.environ, Watch([tmp_path]), (("python", "-c", "pass"),))
    (tmp_path / "a.py").touch()
    watched = threading.Thread(target=watching.run, daemon=True)
    watched.start()
    eventually(lambda: running.reload.called)
    watching.end()
    watched.join(10)
