import contextlib
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from zeke_jobs.supervise.supervisor import Command, Supervisor, pause


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def python(name: str, code: str) -> Command:
    return Command(name, [sys.executable, "-u", "-c", textwrap.dedent(code)])


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.lines if who == name]


Start = Callable[..., tuple[Supervisor, Log]]


@pytest.fixture
def started() -> Iterator[Start]:
    supervisors: list[Supervisor] = []

    def start(*commands: Command, **options: Any) -> tuple[Supervisor, Log]:
        log = Log()
        supervisor = Supervisor(commands, log, **options)
        supervisors.append(supervisor)
        supervisor.step()
        return supervisor, log

    yield start
    for supervisor in supervisors:
        for pid in supervisor.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        supervisor.stop()
        end(supervisor)


def until(condition: Callable[[], bool], supervisor: Supervisor, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        supervisor.step()
        time.sleep(0.01)


def end(supervisor: Supervisor) -> None:
    until(lambda: not supervisor.step(), supervisor)


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


def test_pauses_double_and_end_at_half_a_minute() -> None:
    assert [pause(n) for n in (1, 2, 3, 4, 50)] == [0.5, 1, 2, 4, 30]


def test_a_child_that_dies_is_started_again_after_its_pause(started: Start) -> None:
    clock = Clock()
    supervisor, _ = started(python("a", SERVE), clock=clock)
    first = supervisor.pids["a"]
    os.kill(first, signal.SIGKILL)
    until(lambda: "a" not in supervisor.pids, supervisor)
    clock.now += 0.4
    supervisor.step()
    assert "a" not in supervisor.pids
    clock.now += 0.2
    supervisor.step()
    assert supervisor.pids["a"] != first


def test_a_child_that_ran_for_long_is_started_again_after_the_shortest_pause(started: Start) -> None:
    clock = Clock()
    supervisor, _ = started(python("a", SERVE), clock=clock)
    for _ in range(4):
        os.kill(supervisor.pids["a"], signal.SIGKILL)
        until(lambda: not supervisor.pids, supervisor)
        clock.now += 31
        supervisor.step()
    clock.now += 31
    os.kill(supervisor.pids["a"], signal.SIGKILL)
    until(lambda: not supervisor.pids, supervisor)
    clock.now += 0.5
    supervisor.step()
    assert "a" in supervisor.pids


def test_a_child_that_does_not_end_in_its_grace_time_is_killed(started: Start) -> None:
    clock = Clock()
    supervisor, log = started(python("a", STUBBORN), clock=clock, grace=5.0)
    until(lambda: log.of("a") == ["ready"], supervisor)
    supervisor.stop()
    supervisor.step()
    clock.now += 4.9
    supervisor.step()
    assert "a" in supervisor.pids
    clock.now += 0.2
    with capture_logs() as lines:
        until(lambda: not supervisor.pids, supervisor)
    assert [line["event"] for line in lines] == ["killed after its grace time"]


def test_a_second_stop_kills_at_once(started: Start) -> None:
    clock = Clock()
    supervisor, log = started(python("a", STUBBORN), clock=clock, grace=3600.0)
    until(lambda: log.of("a") == ["ready"], supervisor)
    supervisor.stop()
    supervisor.stop()  # timeout(1) sends its signal twice at once
    supervisor.step()
    supervisor.step()
    assert "a" in supervisor.pids
    clock.now += 1.0
    supervisor.stop()
    with capture_logs() as lines:
        until(lambda: not supervisor.pids, supervisor)
    assert [line["event"] for line in lines] == ["killed before its grace time was over: asked to stop again"]


def test_sigterm_goes_to_the_main_process_alone(started: Start) -> None:
    supervisor, log = started(
        python(
            "a",
            """
            import os, signal, sys, time
            child = os.fork()
            who = "main" if child else "worker"
            def end(*_):
                os.write(1, f"{who} got SIGTERM\\n".encode())
                if child: os.kill(child, signal.SIGKILL)
                sys.exit(0)
            signal.signal(signal.SIGTERM, end)
            os.write(1, b"ready\\n")  # in one piece: two processes write here
            while True: time.sleep(0.05)
            """,
        )
    )
    until(lambda: log.of("a") == ["ready", "ready"], supervisor)
    supervisor.stop()
    end(supervisor)
    assert "main got SIGTERM" in log.of("a")
    assert "worker got SIGTERM" not in log.of("a")


def test_what_a_killed_main_process_leaves_behind_is_ended(started: Start) -> None:
    supervisor, log = started(
        python(
            "a",
            """
            import os, time
            child = os.fork()
            if child: print(child)
            while True: time.sleep(0.05)
            """,
        )
    )
    until(lambda: len(log.of("a")) == 1, supervisor)
    orphan = int(log.of("a")[0])
    os.kill(supervisor.pids["a"], signal.SIGKILL)
    until(lambda: not alive(orphan), supervisor)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_configuration_error_ends_everything_with_its_status(started: Start) -> None:
    supervisor, _ = started(python("good", SERVE), python("bad", "raise SystemExit(2)"))
    end(supervisor)
    assert supervisor.status == 2
    assert supervisor.pids == {}


def test_after_a_crash_a_wrong_file_is_tried_again_until_it_is_right(started: Start, tmp_path: Path) -> None:
    broken, clock = tmp_path / "broken", Clock()
    look = f"import os; os.path.exists({str(broken)!r}) and (print('refused'), exit(2))"
    supervisor, log = started(python("a", f"{look}\n{textwrap.dedent(SERVE)}"), python("b", SERVE), clock=clock)
    until(lambda: log.of("a") == log.of("b") == ["ready"], supervisor)
    clock.now += 6  # it has read its configuration
    broken.touch()
    os.kill(supervisor.pids["a"], signal.SIGKILL)
    until(lambda: "a" not in supervisor.pids, supervisor)
    while len(log.of("a")) < 4:
        clock.now += 30
        before = len(log.of("a"))
        until(lambda: len(log.of("a")) > before and "a" not in supervisor.pids, supervisor)  # noqa: B023 (called here)
    assert log.of("a") == ["ready", *["refused"] * 3]
    broken.unlink()
    clock.now += 30
    until(lambda: log.of("a").count("ready") == 2, supervisor)
    assert log.of("b") == ["ready"]
    assert supervisor.status == 0


def test_a_process_learns_that_it_starts_again_after_a_crash_and_not_after_a_reload(started: Start) -> None:
    clock = Clock()
    supervisor, log = started(
        python(
            "a",
            f"import os; print('again' if os.environ.get('ZEKE_JOBS_RESTART') else 'new')\n{textwrap.dedent(SERVE)}",
        ),
        clock=clock,
    )
    until(lambda: log.of("a") == ["new", "ready"], supervisor)
    clock.now += 6
    os.kill(supervisor.pids["a"], signal.SIGKILL)
    until(lambda: not supervisor.pids, supervisor)
    clock.now += 30
    until(lambda: log.of("a") == ["new", "ready", "again", "ready"], supervisor)
    supervisor.reload()
    until(lambda: log.of("a") == ["new", "ready", "again", "ready", "ended", "new", "ready"], supervisor)


def test_while_watching_a_configuration_error_waits_for_a_change(started: Start) -> None:
    clock = Clock()
    supervisor, log = started(python("a", "print('tried'); raise SystemExit(2)"), clock=clock, wait_for_change=True)
    until(lambda: not supervisor.pids, supervisor)
    clock.now += 3600
    assert supervisor.step() is True
    assert supervisor.pids == {}
    supervisor.reload()
    until(lambda: log.of("a") == ["tried", "tried"], supervisor)


def test_what_was_reloaded_once_waits_for_the_next_time_when_it_refuses_its_configuration(
    started: Start, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    supervisor, log = started(
        python("a", f"import os; os.path.exists({str(broken)!r}) and exit(2)\n{textwrap.dedent(SERVE)}")
    )
    until(lambda: log.of("a") == ["ready"], supervisor)
    broken.touch()
    supervisor.reload()
    until(lambda: not supervisor.pids, supervisor)
    until(lambda: log.of("a") == ["ready", "ended"], supervisor)
    assert supervisor.step() is True
    broken.unlink()
    supervisor.reload()
    until(lambda: log.of("a").count("ready") == 2, supervisor)
    assert supervisor.status == 0


def test_a_command_that_cannot_be_started_is_tried_again(started: Start) -> None:
    clock = Clock()
    with capture_logs() as lines:
        supervisor, log = started(Command("a", ["/nowhere/a-program"]), python("b", SERVE), clock=clock)
        until(lambda: log.of("b") == ["ready"], supervisor)
        clock.now += 0.6
        supervisor.step()
    assert [(line["event"], line["command"]) for line in lines] == [
        ("cannot be started, tried again in 0.5 s", "a"),
        ("cannot be started, tried again in 1 s", "a"),
    ]


def test_a_command_is_read_on_when_nobody_takes_what_it_says() -> None:
    taken: list[str] = []

    def write(_name: str, line: str) -> None:
        taken.append(line)
        raise BrokenPipeError

    supervisor = Supervisor([python("a", "for n in range(3): print(n)")], write)
    supervisor.step()
    until(lambda: taken == ["0", "1", "2"], supervisor)
    supervisor.stop()
    end(supervisor)


def test_when_the_supervisor_itself_fails_nothing_runs_on(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, log = started(python("a", STUBBORN))
    until(lambda: log.of("a") == ["ready"], supervisor)
    (pid,) = supervisor.pids.values()
    monkeypatch.setattr(Supervisor, "step", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        supervisor.run()
    monkeypatch.undo()
    until(lambda: not alive(pid), supervisor)
