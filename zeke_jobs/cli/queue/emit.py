"""``zeke-jobs emit``: sends an event to the jobs that wait for it."""

from typing import Annotated

import zeke_jobs
from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import escape, tell
from zeke_jobs.cli.run import usage


def emit(
    name: Annotated[str, options.argument("The event, such as callback/42.", "NAME")],
    data: Annotated[str | None, options.argument("The event's data, or - for standard input.", "[JSON]")] = None,
) -> None:
    """Emit an event: jobs that wait for it go on, with the data."""
    value = None if data is None else options.read_json(data, "the data")
    database.choose_to_write()
    with usage():
        zeke_jobs.emit(name, value)
    tell(f"emitted {escape(name)}")
