"""Runs ``zeke-news sources import`` and ``export`` for lists of feeds in OPML."""

import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

import zeke_jobs
from actors.cli.adding import type_of, unread
from actors.cli.output import Json, answer, database, say
from actors.engine.contract import EngineError
from actors.engine.fetch import parse
from actors.engine.opml import LARGEST, Listed, write_opml
from actors.engine.reading import read_opml
from actors.store import sources as store
from actors.store.statements import SQL
from zeke_jobs.cli.options import option
from zeke_jobs.errors import UnknownTask


def bring_in(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An OPML file; - for standard input.")],
    authority: Annotated[float | None, option("How far to trust these feeds, 0 to 1.", "N", min=0, max=1)] = None,
    is_json: Json = False,
) -> None:
    """Add the feeds of an OPML file with their folders; the workers read them. Sources that exist already do not change."""
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as source:
            feeds = read_opml(source.read(LARGEST + 1))
    except (OSError, EngineError) as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error
    failed: list[dict[str, str]] = []
    added = 0
    with database() as conn:
        known = {row["url"] for row in SQL.all(conn, "source_addresses")}
        for feed in feeds:
            try:
                parse(feed.address)  # this line refuses a mailbox
            except EngineError as error:
                failed.append({"url": feed.address, "name": feed.name, "code": error.code, "why": str(error)})
            else:
                kind, metadata = type_of(unread(feed.address)), {"folder": list(feed.folder)} if feed.folder else {}
                told: dict[str, Any] = {"name": feed.name, "authority": authority, "metadata": metadata}
                added += feed.address not in known and store.add(conn, kind, feed.address, **told)[1]
        if added:
            with suppress(UnknownTask):  # read the feeds now
                for task in ("ingest-pull", "ingest-pull-youtube"):
                    zeke_jobs.send(task, {}, connection=conn)
    there = len(feeds) - added - len(failed)
    answer(
        {"added": added, "already_there": there, "failed": failed},
        f"{added} added, {there} already there" + (f", {len(failed)} not:" if failed else ""),
        *(f"  {one['url']}  {one['why']}" for one in failed),
        *(["zeke-news sources health shows the sources that cannot be read"] if added else []),
        is_json=is_json,
    )


def export() -> None:
    """Write the feeds that are on as OPML, in their folders, to standard output."""
    with database() as conn:
        rows = store.listing(conn, active_only=True)
    feeds = [
        Listed(row["name"] or "", row["url"], store.folder_of(row))
        for row in rows
        if row["type"] in {*store.FEED_TYPES, *store.YOUTUBE_TYPES} and row["url"]
    ]
    # A name may contain control characters for terminals. In ASCII they become references.
    say(write_opml(feeds).decode().encode("ascii", "xmlcharrefreplace").decode(), end="")
