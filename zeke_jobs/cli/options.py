"""Options that several commands share, with their parsers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

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


Json = Annotated[bool, typer.Option("--json", help="Answer with JSON.")]
Timeout = Annotated[
    timedelta | None, typer.Option(parser=duration, metavar="DURATION", help="Longest wait, such as 30s.")
]
