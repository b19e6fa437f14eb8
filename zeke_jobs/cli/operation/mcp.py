"""Runs ``zeke-jobs mcp``, a server of the Model Context Protocol that answers the questions of agents about jobs."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

from zeke_jobs import __version__
from zeke_jobs.cli import database
from zeke_jobs.core import environment

_MOST = 60_000  # a longer answer is cut to this number of characters, and a line says so
_LONGEST = 60.0  # maximum number of seconds for an answer
_MAIN = "from zeke_jobs.cli import main; main()"
_ANSWERS = (0, 1, 4)  # 1: doctor found something; 4: a plan has changes

Status = Literal["created", "retry", "active", "completed", "failed", "cancelled"]


def mcp() -> None:
    """Answer an agent's questions on standard input and output, until the agent closes them. Nothing is changed."""
    serve("zeke-jobs", (why, status, jobs, doctor, limits, schedule, plan))


def serve(program: str, tools: Iterable[Callable[..., str]], note: str = "") -> None:
    """Serve functions as tools, described by docstrings and ``note``. Raises ConfigurationError if mcp is missing."""
    try:
        from mcp.server import MCPServer
        from mcp_types import ToolAnnotations
    except ImportError as error:
        raise environment.missing("the package mcp", f"{program}[mcp]", error=error) from error
    database.choose()
    server: Any = MCPServer(program, version=__version__, log_level="WARNING")
    hints = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    for tool in tools:
        said = f"{tool.__doc__} {note}".strip()
        server.add_tool(tool, description=said, annotations=hints, structured_output=False)
    server.run("stdio")


def why(job_id: str) -> str:
    """Explain why a job waits, runs, or ended as it did."""
    return _ask("why", "--json", "--", job_id)


def status(job_id: str) -> str:
    """Show a job in full: payload, attempts with their errors, progress, and the jobs that it sent."""
    return _ask("status", "--json", "--", job_id)


def jobs(task: str = "", status: Status | None = None, error: str = "", newer: str = "", limit: int = 20) -> str:
    """List jobs, the newest first. Filters: task, status, a text in the last error, a maximum age such as 2h."""
    filters = {"task": task, "status": status, "error": error, "newer": newer, "limit": str(min(limit, 100))}
    return _ask("jobs", "--json", *(f"--{name}={value}" for name, value in filters.items() if value))


def doctor() -> str:
    """Find faults of database, workers, scheduler and jobs, each with a way to fix it."""
    return _ask("doctor", "--json")


def limits() -> str:
    """List the shared limits in force, and how much of each is in use."""
    return _ask("limits", "--json")


def schedule() -> str:
    """List the schedules in force, with their last and next ticks."""
    return _ask("schedule", "--json")


def plan(text: str) -> str:
    """Show the changes that a jobs.yaml with this text would make. Nothing is changed."""
    return _ask("plan", "--json", "/dev/stdin", given=text)


def _ask(*words: str, given: str = "") -> str:
    said = output(_MAIN, *words, given=given)
    if len(said) > _MOST:
        return f"{said[:_MOST]}\n… {len(said) - _MOST} more characters; ask for less"
    return said


def output(main: str, *words: str, given: str = "") -> str:
    """Run the code ``main`` in a new process, with ``words`` as arguments. Returns the output, or raises ToolError."""
    from mcp.server.mcpserver.exceptions import ToolError

    run = partial(subprocess.run, capture_output=True, text=True, timeout=_LONGEST, check=False)
    done = run([sys.executable, "-c", main, *words], input=given)
    if done.returncode not in _ANSWERS or not done.stdout:
        raise ToolError(done.stderr[-_MOST:])
    return str(done.stdout)
