"""Send events to waiting jobs."""

from typing import Any

from zeke_jobs.client import drivers
from zeke_jobs.client.plans import Database
from zeke_jobs.core.job import check_name
from zeke_jobs.payload.json_text import UnfitForJson, encode


def emit(name: str, data: Any = None, *, connection: Any = None) -> None:
    """Send an event: jobs that wait for an event of this name are due at once and get the data.

    A job that begins to wait for the event within thirty days gets it too. If the event is emitted again, later waits
    get the new data.

    Args:
        name: The event's name, such as ``callback/42``; up to 1024 bytes.
        data: Any JSON value up to 1 MiB.
        connection: See ``send``; the event is emitted when its transaction commits.

    Raises:
        TypeError, ValueError: the name is not valid, or the data are not JSON.
    """
    drivers.perform(connection, emission, name, data)


async def emission(database: Database, name: str, data: Any) -> None:
    """The plan of ``emit``."""
    try:
        text = encode(data)
    except UnfitForJson as error:
        raise ValueError(f"data of the event {name!r}: {error}") from error
    await database.ask("event/emit", name=check_name(name), data=text)
