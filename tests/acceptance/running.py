"""``zeke-jobs up`` runs in a temporary folder, for tests that need the whole system."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fleet import PROGRAMS, Command, bare_environment, in_this_process, launch, open_folder, processes_in

BIN = Path(sys.executable).parent
HANDLER = """\
from zeke_jobs import Context, Payload

class Greet(Payload):
    name: str

def greet(payload: Greet, ctx: Context) -> str:
    return f"Hello, {payload.name}"
"""
JOBS = "version: 1\ntasks:\n  greet: {handler: 'greet:greet', concurrency: 3}\n"
GREETS = {"jobs.yaml": JOBS, "greet.py": HANDLER}


class Up:
    """The command ``zeke-jobs up`` runs in ``folder``, and its output is kept."""

    command: Command

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self.env = {**bare_environment(), "PATH": path, "ZEKE_JOBS_LOG_FORMAT": "console", **env}

    def start(self, *options: str) -> None:
        log = self.folder / f"up-{len(list(self.folder.glob('up-*.log')))}.log"
        self.command = launch(log, BIN / "zeke-jobs", "up", *options, cwd=self.folder, env=self.env)
        self.wait_for = self.command.wait_for

    def wait(self) -> int:
        return self.command.wait(90)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        return self.command.stop(90, number)

    @property
    def text(self) -> str:
        return self.command.text()

    def logs(self) -> str:
        return self.text[-5000:]

    def run(self, command: str, **env: str) -> str:
        words = shlex.split(command)
        if words[0] in PROGRAMS and words[1] != "up" and not set(command) & set("|&;<>$`"):
            return self.here(*words).stdout
        both: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": {**self.env, **env}}
        return str(
            subprocess.run(command, shell=True, text=True, check=False, cwd=self.folder, timeout=60, **both).stdout
        )

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
        exports = [line.partition("export ")[2] for line in self.text.splitlines() if "export DATABASE_URL=" in line]
        said = f"export {exports[0]}; " if exports else ""
        return self.run(f'{said}"$PYTHON" -c "$CODE"', PYTHON=sys.executable, CODE=code).strip()

    def left(self) -> list[str]:
        return processes_in(self.folder)


@contextmanager
def up_in_a_folder(files: Mapping[str, str] = {}, **env: str) -> Iterator[Up]:
    """Make a folder with files, and a command that is not started yet; stop and remove both at the end."""
    with open_folder("up") as folder:
        made = Up(folder, **env)
        for name, text in files.items():
            (folder / name).write_text(text)
        try:
            yield made
        finally:
            if hasattr(made, "command"):
                made.stop()
