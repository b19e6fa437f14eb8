"""A reader process may loop, use up memory, crash or hang. The worker reports the failure and continues."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.engine.contract import EngineError
from actors.engine.readers.pool import Readers
from actors.engine.readers.server import Limits
from tests.each import cases
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
ODD = "tests.actors.engine.odd_operations"
TIGHT = Limits(cpu=0.5, wall=20, memory=256 * 1024 * 1024, answer=1_000_000, growth=16 * 1024 * 1024)


@pytest.fixture(scope="module")
def their_server() -> Iterator[Readers]:
    """Share one server of reader processes between the tests, because its imports take a third of a second."""
    found = Readers(ODD, TIGHT)
    yield found
    found.close()


@pytest.fixture
def readers(their_server: Readers) -> Iterator[Readers]:
    """Give each test the shared server, and end the test's reader processes afterwards."""
    yield their_server
    for reader in their_server._idle:
        reader.close()
    their_server._idle.clear()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "attempts"


def who(readers: Readers) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(readers.ask("who", b"", about="it"))
    return found


def is_there(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def waiting(path: Path) -> int:
    """Wait for a line in the file, and return the id of the process that wrote the last line."""
    eventually(lambda: path.exists() and bool(path.read_text().strip()))
    return int(path.read_text().split()[-1])


@cases(
    "operation arguments attempts words",
    pytest.param("spin", {}, 1, "more than 0.5 s", id="CPU"),
    pytest.param("hog", {}, 1, "memory", id="memory"),
    pytest.param("swallow", {}, 1, "memory", id="memory, unnoticed"),
    pytest.param("chatter", {}, 1, "text", id="a long answer"),
    pytest.param("fail", {}, 1, "division", id="a fault"),
    pytest.param("sleep", {}, 2, "SIGALRM", id="time"),
    pytest.param("leave", {}, 2, "status 3", id="an exit"),
    pytest.param("die", {"by": signal.SIGSEGV}, 2, "SIGSEGV", id="a crash"),
    pytest.param("die", {"by": signal.SIGKILL}, 2, "killed twice", id="a kill by somebody else"),
)
def test_what_takes_too_much_is_unreadable_and_what_breaks_its_reader_is_tried_once_more(
    readers: Readers, notes: Path, operation: str, arguments: dict[str, Any], attempts: int, words: str
) -> None:
    asked = Readers(ODD, TIGHT._replace(wall=1)) if operation == "sleep" else readers
    with pytest.raises(EngineError, match=words) as caught:
        asked.ask(operation, str(notes).encode(), about="https://a.example/", **arguments)
    pids = notes.read_text().split()
    assert len(pids) == len(set(pids)) == attempts
    if words == "killed twice":  # A kill by somebody else says nothing about the page.
        assert (caught.value.code, caught.value.transient) == ("engine_failed", True)
    else:
        assert (caught.value.code, caught.value.transient) == ("unreadable", False)
        assert str(caught.value).startswith("https://a.example/ cannot be read")
    assert readers.ask("echo", b"next", about="it") == b"next"
    if asked is not readers:
        asked.close()


def test_an_error_and_a_second_attempt_come_through_and_each_has_its_time(readers: Readers, notes: Path) -> None:
    with pytest.raises(EngineError, match="no feed") as caught:
        readers.ask("refuse", b"", about="it")
    assert caught.value.code == "not_a_feed"
    assert readers.ask("die_once", str(notes).encode(), about="it") == b"read"
    assert len(notes.read_text().split()) == 1
    # Each request has a new CPU timer: RLIMIT_CPU counts from the reader's start, and drifts from what getrusage says.
    for _ in range(4):
        assert 0.4 < json.loads(readers.ask("time_left", b"", about="it")) <= TIGHT.cpu + 0.1


def test_readers_that_were_killed_while_idle_cost_no_page_anything(readers: Readers, notes: Path) -> None:
    both = threading.Barrier(2)

    def ask(_: int) -> None:
        both.wait()
        readers.ask("rest", b"", about="it")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, range(2)))
    assert len(readers._idle) == 2
    keepers = psutil.Process(who(readers)["server"]).children()
    pids = [keeper.children()[0].pid for keeper in keepers]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(map(is_there, pids)))
    assert readers.ask("echo", b"read", about="it") == b"read"


def test_readers_know_no_secrets_and_one_that_cannot_start_blames_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = Readers("tests.no.such.module")
    for _ in range(2):
        with pytest.raises(EngineError, match="no process") as caught:
            readers.ask("echo", b"", about="it")
        assert (caught.value.code, caught.value.transient, caught.value.is_away) == ("engine_failed", True, True)
    readers.close()
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/name")
    readers = Readers(ODD, TIGHT)
    environment = who(readers)["environment"]
    readers.close()
    python = {"PYTHONHOME", "PYTHONPATH", "OPENBLAS_NUM_THREADS", "LD_LIBRARY_PATH"}
    assert set(environment) <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR"} | python


def test_one_that_takes_all_it_may_does_not_hold_up_the_others(readers: Readers, notes: Path) -> None:
    ends: deque[str] = deque()

    def spin() -> None:
        with pytest.raises(EngineError):
            readers.ask("spin", str(notes).encode(), about="it")
        ends.append("hog")

    hog = threading.Thread(target=spin)
    hog.start()
    waiting(notes)
    for _ in range(50):
        readers.ask("echo", b"", about="it")
    ends.append("others")
    hog.join()
    assert list(ends) == ["others", "hog"]


class Stop(BaseException):
    pass


def test_a_thread_that_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    readers = Readers(ODD, TIGHT._replace(cpu=2), most=1)
    hog, other = tmp_path / "hog", tmp_path / "other"
    stopped: deque[str] = deque()

    def spin(path: Path) -> None:
        try:
            readers.ask("spin", str(path).encode(), about="it")
        except Stop:
            stopped.append(path.name)

    def stop(thread: threading.Thread) -> None:
        assert thread.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop))
        thread.join(20)

    first, second = (threading.Thread(target=spin, args=(path,)) for path in (hog, other))
    first.start()
    pid = waiting(hog)
    second.start()
    stop(second)
    stop(first)
    assert list(stopped) == ["other", "hog"]
    eventually(lambda: not is_there(pid))
    assert not other.exists()
    assert readers.ask("echo", b"free", about="it") == b"free"
    readers.close()


def test_ctrl_c_and_sigterm_are_for_the_worker_and_what_has_grown_or_was_killed_is_replaced(readers: Readers) -> None:
    found = who(readers)
    assert os.getpgid(found["pid"]) != os.getpgid(0)
    for pid in (found["pid"], found["server"]):
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
    assert who(readers)["pid"] == found["pid"]
    assert json.loads(readers.ask("grow", b"", about="it"))["pid"] == found["pid"]
    grown = who(readers)
    assert grown["pid"] != found["pid"]
    eventually(lambda: not is_there(found["pid"]))
    for pid in (grown["server"], grown["pid"]):
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: not is_there(pid))  # type: ignore[misc]
    again = who(readers)
    assert grown["pid"] != again["pid"]
    assert grown["server"] != again["server"]


_WORKER = """
import sys, threading
from actors.engine.readers.server import Limits
from actors.engine.readers.pool import Readers
from tests.actors.engine.test_readers import ODD, who
readers = Readers(ODD, Limits(cpu=1))
thread = threading.Thread(target=readers.ask, args=("spin", sys.argv[1].encode()), kwargs={"about": "it"}, daemon=True)
thread.start()
found = who(readers)
print(found["server"], found["pid"], flush=True)
thread.join()
"""


def test_all_of_them_end_with_their_worker_at_the_latest_at_their_limits(notes: Path) -> None:
    command = [sys.executable, "-c", _WORKER, str(notes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as worker:
        assert worker.stdout is not None
        pids = [*map(int, worker.stdout.readline().split()), waiting(notes)]
        assert all(map(is_there, pids))
        worker.kill()
    eventually(lambda: not any(map(is_there, pids)))


_FORKING = """
import os
from actors.engine import reading
assert reading.html_to_text("<p>a</p>")[0] == "a"
pid = os.fork()
if not pid:
    assert not reading._readers._idle and reading._readers._control is None
print(reading.html_to_text(f"<p>{'b' if pid else 'c'}</p>")[0], flush=True)
if pid:
    os.waitpid(pid, 0)
    print(reading.html_to_text("<p>d</p>")[0])
"""


def test_a_process_that_was_forked_has_readers_of_its_own() -> None:
    assert sorted(said(_FORKING)) == ["b", "c", "d"]


def said(code: str) -> list[str]:
    """Run a program, and return the words that it prints."""
    return subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT, timeout=60).split()


def test_an_engine_that_is_closed_leaves_no_process() -> None:
    code = (
        "import psutil; from actors.engine import Settings, reading\n"
        "engine = Settings.model_validate({'kind': 'local', 'sites': {'slow.example': {'pause': '1s'}}}).open()\n"
        "def read(): return reading.read_page(b'<p>A text of a page.</p>', 'https://news.example/a', 'text/html').text\n"
        "first, begun = read(), len(psutil.Process().children(recursive=True))\n"
        "engine.close(); print(first == read(), begun > 0); engine.close()\n"
        "gone, alive = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=5); print(len(alive))"
    )
    assert said(code) == ["True", "True", "0"]
