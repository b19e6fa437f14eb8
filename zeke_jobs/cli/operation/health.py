"""``zeke-jobs health``: for health checks of containers."""

from __future__ import annotations

from typing import Annotated

import typer

from zeke_jobs.cli import database
from zeke_jobs.cli.output import say
from zeke_jobs.cli.run import FAILED, UsageError
from zeke_jobs.core.terminal import visible

_KINDS = ("worker", "scheduler")


def health(
    part: Annotated[str, typer.Argument(metavar="PART", help="worker, scheduler, or an address http://…")],
    contains: Annotated[
        str, typer.Option(metavar="TEXT", help="What the address must answer.", show_default=False)
    ] = "",
    host: Annotated[str, typer.Option(help="Ask for this host's processes.", show_default="this one's")] = "",
) -> None:
    """Exit 0 when the part does its work, 1 when not: this host's workers prove life, or an address answers."""
    from zeke_jobs.diagnosis import health as checking

    if part in _KINDS:
        found = checking.of_processes(database.choose(), part, host or None)
    elif part.startswith(("http://", "https://")):
        found = checking.of_address(part, contains)
    else:
        raise UsageError(f"expected worker, scheduler or an address http://…, got {part!r}")
    say(visible(found.sentence))
    if not found.is_fine:
        raise typer.Exit(FAILED)
