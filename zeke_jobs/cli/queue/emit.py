"""``zeke-jobs emit``: sends an event to the jobs that wait for it."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from zeke_jobs.cli import database
from zeke_jobs.cli.output import escape, tell
from zeke_jobs.cli.run import UsageError, usage


def emit(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The event, such as callback/42.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="The event's data, or - for standard input.", show_default=False),
    ] = None,
) -> None:
    """Emit an event: jobs that wait for it go on, with the data."""
    from zeke_jobs import client

    text = sys.stdin.read() if data == "-" else data
    try:
        value = None if text is None else json.loads(text)
    except ValueError as error:
        raise UsageError(f"expected the data as JSON, got a fault in it: {error}") from error
    database.choose_to_write()
    with usage():
        client.emit(name, value)
    tell(f"emitted {escape(name)}")
