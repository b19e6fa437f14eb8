"""``zeke-jobs up``: one command, and the system runs; one Ctrl-C, and nothing is left."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from zeke_jobs.own_server import server_folder

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

BIN = Path(sys.executable).parent
HANDLER = """\
from zeke_jobs import Context, Payload

class Greet(Payload):
    name: str

def greet(payload: Greet, ctx: Context) -> str:
    return f"Hello, {payload.name}"
"""
JOBS = "version: 1\ntasks:\n  greet: {handler: 'greet:greet', concurrency: 3}\n"


class Up:
    """The command in a folder of its own, with all that it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ZEKE_JOBS_") and name != "DATABASE_URL"
        }
        self.text = ""
        (folder / "greet.py").write_text(HANDLER)
        (folder / "jobs.yaml").write_text(JOBS)

    def start(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [BIN / "zeke-jobs", "up", *options],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.text += line

    def wait_for(self, words: str, times: int = 1) -> None:
        end = time.monotonic() + 40
        while self.text.count(words) < times:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < end, self.text
            time.sleep(0.05)

    def greet(self, name: str) -> str:
        code = f"import zeke_jobs; print(zeke_jobs.wait(zeke_jobs.send('greet', {{'name': {name!r}}}).id, timeout=30))"
        url = next(word for word in self.text.split() if word.startswith("DATABASE_URL=")).partition("=")[2].strip("'")
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            env={**self.env, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout.strip() or done.stderr

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self.reader.join(10)
        return code

    def left(self) -> list[str]:
        """Command lines of processes that work in the folder still."""
        found = []
        for process in psutil.process_iter():
            try:
                if str(self.folder) in process.cwd():
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


@pytest.fixture
def up() -> Iterator[Up]:
    # Not below pytest's own folder: that one is closed to the unprivileged user that the server runs as for root.
    folder = Path(tempfile.mkdtemp(prefix="zeke-up-"))
    folder.chmod(0o711)
    made = Up(folder)
    yield made
    if hasattr(made, "process"):
        made.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_it_runs_jobs_until_it_is_stopped_and_leaves_nothing(up: Up, number: signal.Signals) -> None:
    up.start()
    up.wait_for("Worker process is ready")
    assert up.greet("Ada") == "Hello, Ada"
    assert up.stop(number) == 0, up.text
    assert up.left() == []


def test_it_says_how_to_look_into_its_database(up: Up) -> None:
    up.start()
    up.wait_for("Ctrl-C stops everything")
    (line,) = (line for line in up.text.splitlines() if "to look inside: " in line)
    command = line.partition("to look inside: ")[2]
    done = subprocess.run(
        f"{command} -Atc 'SELECT count(*) FROM zeke_jobs.job'", shell=True, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("0", "")


def test_a_worker_that_is_killed_is_started_again(up: Up) -> None:
    up.start()
    up.wait_for("Worker process is ready")
    (main,) = (p for p in psutil.Process(up.process.pid).children() if "dramatiq" in " ".join(p.cmdline()))
    main.kill()
    up.wait_for("Worker process is ready", times=2)
    assert up.greet("Ada") == "Hello, Ada"


def test_a_second_one_in_the_same_folder_is_refused_and_the_first_goes_on(up: Up) -> None:
    up.start()
    up.wait_for("Worker process is ready")
    second = subprocess.run(
        [BIN / "zeke-jobs", "up"], cwd=up.folder, env=up.env, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert "another command" in second.stderr
    assert up.greet("Ada") == "Hello, Ada"


def test_a_broken_jobs_yaml_is_refused_and_nothing_starts(up: Up) -> None:
    (up.folder / "jobs.yaml").write_text(JOBS.replace("concurrency", "concurrenc"))
    up.start()
    assert up.process.wait(30) == 2
    up.reader.join(10)
    assert "jobs.yaml:3:" in up.text
    assert not server_folder(up.folder / ".zeke").exists()


def test_reload_takes_a_good_change_and_refuses_a_broken_one(up: Up) -> None:
    up.start("--reload")
    up.wait_for("Worker process is ready")
    (up.folder / "jobs.yaml").write_text(JOBS + "  other: {handler: 'nowhere:x'}\n")
    up.wait_for("refused; what was running goes on")
    assert "jobs.yaml:4:" in up.text
    assert up.greet("Ada") == "Hello, Ada"
    (up.folder / "jobs.yaml").write_text(JOBS)
    (up.folder / "greet.py").write_text(HANDLER.replace("Hello", "Good day"))
    up.wait_for("Worker process is ready", times=2)
    assert up.greet("Ada") == "Good day, Ada"
