"""``zeke-news sources import`` and ``export``: lists of feeds as other readers keep them."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer

from actors.cli.output import as_json, console, database, say
from actors.engine.opml import LARGEST, write_opml
from actors.engine.reading import read_opml
from actors.store import sources as store
from zeke_jobs.postgres.pool import transaction


def bring_in(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An OPML file; - for standard input.")],
    authority: Annotated[
        float | None, typer.Option(metavar="N", help="How far to trust these feeds, 0 to 1.", min=0, max=1)
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Add the feeds of an OPML file. Sources that exist already stay as they are."""
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as source:
            feeds = read_opml(source.read(LARGEST + 1))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error
    with database() as conn, transaction(conn):
        added = sum(store.add(conn, "rss", url, name=name, authority=authority)[1] for name, url in feeds)
    if is_json:
        as_json({"added": added, "already_there": len(feeds) - added})
        return
    console().print(f"{added} added, {len(feeds) - added} already there")


def export() -> None:
    """Write the feeds that are on as OPML to standard output."""
    with database() as conn:
        rows = store.listing(conn, active_only=True)
    feeds = [(row["name"] or "", row["url"]) for row in rows if row["type"] in store.FEED_TYPES and row["url"]]
    # In ASCII: a feed's name may contain control characters for terminals, which become character references.
    say(write_opml(feeds).decode().encode("ascii", "xmlcharrefreplace").decode(), end="")
