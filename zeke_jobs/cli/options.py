"""Declares the options and arguments of commands, reads their values, and finds a job by a part of its id."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from zeke_jobs.cli import database
from zeke_jobs.cli.run import UsageError, usage
from zeke_jobs.core.wording import parse_duration, when
from zeke_jobs.errors import JobNotFound
from zeke_jobs.postgres.queries import SQL


def duration(text: str) -> timedelta:
    """Read a duration such as ``5m``."""
    with usage():
        return parse_duration(text)


def moment(text: str) -> datetime:
    """Read an ISO 8601 time. A time without a zone is in UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"expected a time such as 2026-01-31T08:00Z, got {text!r}") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def option(help_: str, metavar: str | None = None, *names: str, **more: Any) -> Any:
    """Return an option. The option's name is the parameter's name unless ``names`` are given."""
    return typer.Option(*names, metavar=metavar, help=help_, **more)


def flag(name: str, help_: str) -> Any:
    """Return an option that takes no value."""
    return typer.Option(name, help=help_)


def span(help_: str, *names: str) -> Any:
    """Return an option whose value is a duration."""
    return option(help_, "DURATION", *names, parser=duration)


def time(help_: str, *names: str) -> Any:
    """Return an option whose value is a time."""
    return option(help_, "TIME", *names, parser=moment, show_default=False)


def argument(help_: str, metavar: str, **more: Any) -> Any:
    """Return an argument of the command line. The help shows no default."""
    return typer.Argument(metavar=metavar, help=help_, show_default=False, **more)


def pair(text: str, expected: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``. Raises UsageError if a part is missing, with a message that begins with ``expected``."""
    name, equals, value = text.partition("=")
    if not (equals and name and value):
        raise UsageError(f"expected {expected}, got {text!r}")
    return name, value


def read_json(text: str, what: str) -> Any:
    """Read JSON from an argument or, if the argument is ``-``, from standard input."""
    try:
        return json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise UsageError(f"expected {what} as JSON, got a fault in it: {error}") from error


def is_asked(*, yes: bool, as_json: bool) -> bool:
    """Return whether to ask before a change: a person is at the terminal, and ``--yes`` was not given."""
    return not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()


Json = Annotated[bool, flag("--json", "Answer with JSON.")]
DryRun = Annotated[bool, flag("--dry-run", "Change nothing; show the jobs that would change.")]
Yes = Annotated[bool, flag("--yes", "Do not ask, on a terminal.")]
Timeout = Annotated[timedelta | None, span("Maximum wait, such as 30s.")]
Reason = Annotated[str, option("Kept for people, with the change.", "WHY")]
MOST = 2**31 - 1  # PostgreSQL's largest integer
Limit = Annotated[int, option("Largest length of the list.", "N", min=1, max=MOST)]
Revision = Annotated[int, argument("Number of a revision.", "REV", max=MOST)]
TaskId = Annotated[str, argument("Id or alias of a task.", "TASK")]
JobId = Annotated[str, argument("The job's id, or its beginning or end.", "ID")]

_LEAST = 4  # minimum number of digits of a part of an id
_LISTED = 10  # maximum number of matching jobs to list


def find_job(text: str) -> UUID:
    """Return the id of the only job whose id begins or ends with the text. A complete id is returned unchanged.

    Raises JobNotFound if no job fits, and UsageError if several jobs fit, or if the text cannot be a part of an id.
    """
    digits = text.strip().strip("….").replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
        help_ = "help: zeke-jobs jobs lists ids"
        raise UsageError(f"expected a job's id, its beginning or its end, got {text!r}\n  {help_}")
    if len(digits) == 32:
        return UUID(digits)
    if len(digits) < _LEAST:
        raise UsageError(f"expected at least {_LEAST} characters of a job's id, got {text!r}")
    with database.connection("id", is_migrated=False) as conn:
        found = SQL.all(conn, "job/by_part", part=digits, limit=_LISTED + 1)
    if not found:
        help_ = "help: zeke-jobs jobs lists them"
        raise JobNotFound(f"expected the beginning or the end of a job's id, got {text!r}: no job has it\n  {help_}")
    if len(found) > 1:
        lines = [f"expected more of the id, got {text!r}, which fits several jobs:"]
        for row in found[:_LISTED]:
            lines += [f"  {row['id']}  {row['task_id']}, {row['status']}, sent {when(row['created_on'])}"]
        raise UsageError("\n".join([*lines, *(["  and more"] if len(found) > _LISTED else ())]))
    return UUID(str(found[0]["id"]))


FILTERS: dict[str, Any] = {
    "task": Annotated[str | None, option("Jobs of this task, by id or alias.", "TASK")],
    "status": Annotated[list[str] | None, option("Jobs in this status; may be given more than once.", "STATUS")],
    "newer": Annotated[timedelta | None, span("Jobs sent (for a change of ended jobs: ended) within this time.")],
    "older": Annotated[timedelta | None, span("Jobs sent (for a change of ended jobs: ended) longer ago.")],
    "key": Annotated[str | None, option("Jobs with this key.", "KEY")],
    "error": Annotated[str | None, option("Jobs with this text in the last error's type or message.", "TEXT")],
    "queue": Annotated[str | None, option("Jobs of this queue.", "NAME")],
    "parent": Annotated[str | None, option("Jobs that this job sent.", "ID")],
    "batch": Annotated[str | None, option("Jobs of this batch.", "ID")],
}


def with_options(command: Callable[..., int | None], added: Mapping[str, Any]) -> Callable[..., int | None]:
    """Add options (annotations by name) to a command. Its first parameter gets a dict of the given ones."""
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [one.replace(kind=keyword) for one in own]
    for name, annotation in added.items():
        default = False if annotation.__origin__ is bool else None
        parameters.append(inspect.Parameter(name, keyword, default=default, annotation=annotation))

    def called(**arguments: Any) -> int | None:
        given = {name: arguments.pop(name) for name in added}
        used = {name: value for name, value in given.items() if value is not False and value not in (None, [])}
        if "parent" in used:
            used["parent"] = str(find_job(used["parent"]))
        return command(used, **arguments)

    called.__doc__ = command.__doc__
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # typer reads both
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called
