"""``zeke-jobs up`` runs in a temporary folder, for tests that need the whole system."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.installed import HANDLER, JOBS
from tests.fleet import PROGRAMS, Command, bare_environment, in_this_process, launch, open_folder, processes_in

BIN = Path(sys.executable).parent


class Up:
    """The command ``zeke-jobs up`` runs in ``folder``, and its output is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self.env = {**bare_environment(), "PATH": path, "ZEKE_JOBS_LOG_FORMAT": "console"}

    def start(self, *options: str) -> None:
        log = self.folder / f"up-{len(list(self.folder.glob('up-*.log')))}.log"
        self.command: Command = launch(log, BIN / "zeke-jobs", "up", *options, cwd=self.folder, env=self.env)
        self.process, self.wait_for = self.command.process, self.command.wait_for

    def wait(self) -> int:
        return self.command.wait(90)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        return self.command.stop(90, number)

    @property
    def text(self) -> str:
        return self.command.text()

    def logs(self) -> str:
        return self.text[-5000:]

    def run(self, command: str) -> str:
        """Run a command line in the folder; return its output."""
        words = shlex.split(command)
        if words[0] in PROGRAMS and words[1] != "up" and not set(command) & set("|&;<>$`"):
            return self.here(*words).stdout
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        here: dict[str, Any] = {"cwd": self.folder, "env": self.env, "timeout": 60, **both}
        return str(subprocess.run(command, shell=True, text=True, check=False, **here).stdout)

    def here(self, *command: str, apart: bool = False) -> subprocess.CompletedProcess[str]:
        """Run one of the project's command lines in this process, then unload the modules imported from the folder."""
        path = list(sys.path)
        done = in_this_process(self.folder, self.env, *command, apart=apart)
        sys.path[:] = path
        for name, module in list(sys.modules.items()):
            if str(self.folder) in (getattr(module, "__file__", None) or ""):
                del sys.modules[name]
        return done

    def python(self, code: str) -> str:
        """Run Python code after the line ``export DATABASE_URL=…`` that ``up`` printed; return its output."""
        export = next(line for line in self.text.splitlines() if "export DATABASE_URL=" in line).partition("export ")
        command = ["/bin/sh", "-c", f'export {export[2]} && exec "$0" -c "$1"', sys.executable, code]
        here: dict[str, Any] = {"cwd": self.folder, "env": self.env, "timeout": 60, "capture_output": True}
        done = subprocess.run(command, text=True, check=False, **here)
        return str(done.stdout.strip() or done.stderr)

    def left(self) -> list[str]:
        return processes_in(self.folder)


@contextmanager
def up_in_a_folder(*, greets: bool = False) -> Iterator[Up]:
    """Make a folder with a command that is not started yet; stop and remove both at the end.

    With ``greets`` the folder contains a jobs.yaml with one task, and its handler.
    """
    with open_folder("up") as folder:
        made = Up(folder)
        if greets:
            (folder / "greet.py").write_text(HANDLER)
            (folder / "jobs.yaml").write_text(JOBS)
        try:
            yield made
        finally:
            if hasattr(made, "command"):
                made.stop()
