"""These helpers run ``zeke-jobs up`` in a temporary folder, and commands installed from wheels as other system users."""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import distributions, fleet
from tests.fleet import Command

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
    command: Command

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self.env = {**fleet.bare_environment(), "PATH": path, "ZEKE_JOBS_LOG_FORMAT": "console", **env}

    def start(self, *options: str) -> None:
        log = self.folder / f"up-{len(list(self.folder.glob('up-*.log')))}.log"
        self.command = fleet.launch(log, BIN / "zeke-jobs", "up", *options, cwd=self.folder, env=self.env)
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
        if words[0] in fleet.PROGRAMS and words[1] != "up" and not set(command) & set("|&;<>$`"):
            return self.here(*words).stdout
        both: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": {**self.env, **env}}
        return str(
            subprocess.run(command, shell=True, text=True, check=False, cwd=self.folder, timeout=60, **both).stdout
        )

    def here(self, *command: str, apart: bool = False) -> subprocess.CompletedProcess[str]:
        """Run one of the project's commands in this process; then unload the modules that came from the folder."""
        path = list(sys.path)
        done = fleet.in_this_process(self.folder, self.env, *command, apart=apart)
        sys.path[:] = path
        for name, module in list(sys.modules.items()):
            if str(self.folder) in (getattr(module, "__file__", None) or ""):
                del sys.modules[name]
        return done

    def python(self, code: str) -> str:
        """Run Python code with the DATABASE_URL that ``up`` told users to export, if any; return what the code printed."""
        exports = [line.partition("export ")[2] for line in self.text.splitlines() if "export DATABASE_URL=" in line]
        said = f"export {exports[0]}; " if exports else ""
        return self.run(f'{said}"$PYTHON" -c "$CODE"', PYTHON=sys.executable, CODE=code).strip()

    def left(self) -> list[str]:
        return fleet.processes_in(self.folder)


@contextmanager
def up_in_a_folder(files: Mapping[str, str] = {}, **env: str) -> Iterator[Up]:
    """Make a folder with files, and yield an Up that is not started. At the end, stop it and remove the folder."""
    with fleet.open_folder("up") as folder:
        made = Up(folder, **env)
        for name, text in files.items():
            (folder / name).write_text(text)
        try:
            yield made
        finally:
            if hasattr(made, "command"):
                made.stop()


# ── an installation from wheels, in a virtual environment

#: USERS are two other users of this system; no user has the number NAMELESS.
USERS = ("daemon", "games")
NAMELESS = 54321


def is_open(path: Path) -> bool:
    """Say whether other users may enter all folders above the path."""
    return all(above.stat().st_mode & 0o001 for above in path.parents)


def install(venv: Path, wheels: dict[str, Path], *wanted: str) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [Path(sys.executable).resolve(), *(Path(folder, version) for folder in ("/usr/bin", "/usr/local/bin"))]
    python = next((one for one in found if one.exists() and is_open(one.resolve())), found[0])
    distributions.install(venv, wheels, *wanted, copy=shutil.copy2, python=str(python))


@dataclass
class Place:
    """Commands of the environment ``venv`` run in ``folder`` as ``user``."""

    venv: Path  # ``install`` made the environment.
    folder: Path
    user: int | None = None  # Commands run as the user with the number ``user``; None is the current user.
    umask: int = 0o022
    before: tuple[str, ...] = ()  # The program ``before`` starts the commands.
    env: dict[str, str | None] = field(default_factory=dict)  # None removes a variable from the environment.
    started: list[Command] = field(default_factory=list)

    def fill(self) -> None:
        for name, text in GREETS.items():
            (self.folder / name).write_text(text)
        if self.user is not None:
            os.chown(self.folder, self.user, self.user)

    def start(self, *arguments: str) -> Command:
        """Start ``zeke-jobs`` with these arguments, or Python if the first argument is ``-c``."""
        known: dict[str, str | None] = {**fleet.bare_environment(), "ZEKE_JOBS_LOG_FORMAT": "console"}
        known |= {"PYTHONDONTWRITEBYTECODE": "1", **self.env}
        env = {name: value for name, value in known.items() if value is not None}
        switch = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        program = [self.venv / "bin" / "python"]
        program += [] if arguments[0] == "-c" else [self.venv / "bin" / "zeke-jobs"]
        log = self.folder.with_name(f"{self.folder.name}-{len(self.started)}.log")
        how: dict[str, Any] = {"cwd": self.folder, "env": env, "umask": self.umask, **switch}
        self.started.append(fleet.launch(log, *self.before, *program, *arguments, **how))
        return self.started[-1]

    def forget(self) -> None:
        """End the processes that still run, and remove the files that they keep outside the folder."""
        for started in self.started:
            started.stop(90)
        for asked in (self.folder / ".zeke", self.folder / ".zeke" / "demo"):
            name = hashlib.sha256(os.fsencode(asked)).hexdigest()[:12]
            shutil.rmtree(Path("/var/lib/zeke-jobs", name), ignore_errors=True)

    def refusal(self, *arguments: str) -> str:
        """Run a command that must fail; return the error and the help after it, without earlier output."""
        started = self.start(*arguments)
        assert started.wait(90) in (1, 2), started.text()
        assert "Traceback" not in started.text()
        assert "bug of zeke-jobs" not in started.text()
        error = started.text().partition("error: expected ")[2]
        assert 0 < error.count("\n") <= 2, started.text()
        return error


#: The program _VISIT checks that the server runs, and that the server still has the data of earlier visits.
_VISIT = """\
from contextlib import closing
from zeke_jobs.core import environment
from zeke_jobs.postgres.own_server import own_server
from zeke_jobs.postgres.pool import connect
with own_server(environment.data_dir(), "a visit") as url, closing(connect(url)) as conn, conn.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS visit (at timestamptz); INSERT INTO visit VALUES (now()); SELECT count(*) FROM visit")
    print("visits:", *cursor.fetchone())
"""


def visit(place: Place) -> int:
    """Start the server, write to it and stop it; return the number of visits so far."""
    started = place.start("-c", _VISIT)
    assert started.wait(90) == 0, started.text()
    return int(started.text().partition("visits:")[2])


def first_minute(place: Place) -> str:
    """Start ``up``, run a job from another terminal, and stop; return the output of ``up``."""
    up = place.start("up")
    try:
        up.wait_for("ready; in another terminal")
        sent = place.start("send", "greet", "name=Ada", "--wait")
        assert sent.wait(90) == 0, sent.text()
        assert '"Hello, Ada"' in sent.text()
        (data,) = re.findall(r"its data is in (.*?)(?:, not in .*)?\n", up.text())
        server = int(Path(data, "postgres", "data", "postmaster.pid").read_text().split()[0])
    finally:
        status = up.stop(90, signal.SIGINT)
    assert status == 0, up.text()
    assert not fleet.is_at_work(server)
    return up.text()
