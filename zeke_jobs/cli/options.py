"""Declares options and arguments, and reads their values."""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from zeke_jobs.cli.run import UsageError, usage
from zeke_jobs.core.durations import parse_duration


def duration(text: str) -> timedelta:
    """Read ``5m``."""
    with usage():
        return parse_duration(text)


def moment(text: str) -> datetime:
    """Read an ISO 8601 time; one without a zone is UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"expected a time such as 2026-01-31T08:00Z, got {text!r}") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def option(help_: str, metavar: str | None = None, *names: str, **more: Any) -> Any:
    """An option; its name is the parameter's unless ``names`` are given."""
    return typer.Option(*names, metavar=metavar, help=help_, **more)


def flag(name: str, help_: str) -> Any:
    """An option without a value."""
    return typer.Option(name, help=help_)


def span(help_: str, *names: str) -> Any:
    """An option whose value is a duration."""
    return option(help_, "DURATION", *names, parser=duration)


def time(help_: str, *names: str) -> Any:
    """An option whose value is a time."""
    return option(help_, "TIME", *names, parser=moment, show_default=False)


def argument(help_: str, metavar: str) -> Any:
    """A word of the command line; help shows no default."""
    return typer.Argument(metavar=metavar, help=help_, show_default=False)


def pair(text: str, expected: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``.

    Raises:
        UsageError: a part is missing; the message begins with ``expected``.
    """
    name, equals, value = text.partition("=")
    if not (equals and name and value):
        raise UsageError(f"expected {expected}, got {text!r}")
    return name, value


def read_json(text: str, what: str) -> Any:
    """Read a word in JSON; ``-`` stands for standard input."""
    try:
        return json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise UsageError(f"expected {what} as JSON, got a fault in it: {error}") from error


def is_asked(*, yes: bool, as_json: bool) -> bool:
    """Whether to ask before a change: a person is at the terminal, and has not agreed beforehand."""
    return not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()


Json = Annotated[bool, flag("--json", "Answer with JSON.")]
DryRun = Annotated[bool, flag("--dry-run", "Change nothing; show the jobs that would change.")]
Yes = Annotated[bool, flag("--yes", "Do not ask, on a terminal.")]
Timeout = Annotated[timedelta | None, span("Longest wait, such as 30s.")]
Reason = Annotated[str, option("Kept for people, with the change.", "WHY")]
