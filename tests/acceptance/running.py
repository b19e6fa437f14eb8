"""``zeke-jobs up`` in a folder of its own, for tests that need the whole system."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.acceptance.installed import Started

BIN = Path(sys.executable).parent


class Up:
    """The command in ``folder``, with all that it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ZEKE_JOBS_") and name != "DATABASE_URL"
        }
        self.env["PATH"] = f"{BIN}{os.pathsep}{self.env['PATH']}"
        self.env["ZEKE_JOBS_LOG_FORMAT"] = "console"

    def start(self, *options: str) -> None:
        process = subprocess.Popen(
            [BIN / "zeke-jobs", "up", *options],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started = Started(process)
        self.process, self.wait_for, self.wait, self.stop = (
            process,
            self.started.wait_for,
            self.started.wait,
            self.started.stop,
        )

    @property
    def text(self) -> str:
        """All that it wrote."""
        return self.started.text

    def run(self, command: str) -> str:
        """The output of a command line in the folder."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    def python(self, code: str) -> str:
        """The output of a program, run after the line ``export DATABASE_URL=…`` that the command printed."""
        export = next(line for line in self.text.splitlines() if "export DATABASE_URL=" in line).partition("export ")
        done = subprocess.run(
            ["/bin/sh", "-c", f'export {export[2]} && exec "$0" -c "$1"', sys.executable, code],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout.strip() or done.stderr

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


@contextmanager
def up_in_a_folder() -> Iterator[Up]:
    """A folder and its command, not started yet; stopped and removed at the end."""
    # Not below pytest's own folder: that one is closed to the unprivileged user that the server runs as for root.
    folder = Path(tempfile.mkdtemp(prefix="zeke-up-"))
    folder.chmod(0o711)
    made = Up(folder)
    try:
        yield made
    finally:
        if hasattr(made, "started"):
            made.stop()
        shutil.rmtree(folder)
