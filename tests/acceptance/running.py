"""``zeke-jobs up`` in a folder of its own, for tests that need the whole system."""

import io
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import psutil

from actors.cli.app import app as news
from tests.acceptance.installed import Started
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run

BIN = Path(sys.executable).parent
APPS = {"zeke-jobs": app, "zeke-news": news}


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
        words = shlex.split(command)
        if words[0] in APPS and words[1] != "up" and not set(command) & set("|&;<>$`"):
            return self.here(*words).stdout
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

    def here(self, *command: str, apart: bool = False) -> subprocess.CompletedProcess[str]:
        """Run one of our command lines in this process, which takes a tenth of the time. It forgets what it imported from the folder.

        The errors are in the output, in their places, unless they are wanted ``apart``.
        """
        path, out = list(sys.path), io.StringIO()
        err = io.StringIO() if apart else out
        with (
            chdir(self.folder),
            patch.dict(os.environ, self.env, clear=True),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            status = run(APPS[command[0]], command[0], command[1:])
        sys.path[:] = path
        for name, module in list(sys.modules.items()):
            if str(self.folder) in (getattr(module, "__file__", None) or ""):
                del sys.modules[name]
        return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue() if apart else "")

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
