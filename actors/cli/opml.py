"""``zeke-news sources import`` and ``export``: lists of feeds from and for other readers."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext, suppress
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any

import typer

import zeke_jobs
from actors.cli.adding import type_of
from actors.cli.engine import in_force, service
from actors.cli.jobs import progress
from actors.cli.output import Json, console, database, in_json, say, tell
from actors.engine.canonical import site_of
from actors.engine.contract import EngineError
from actors.engine.fetch import parse
from actors.engine.opml import LARGEST, Listed, write_opml
from actors.engine.reading import read_opml
from actors.store import sources as store
from actors.store.statements import SQL
from zeke_jobs.cli.options import flag, option
from zeke_jobs.errors import UnknownTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg2.extensions import connection as Connection

    from actors.engine.contract import ContentSource, Finder

_AT_ONCE = 8
"""Hosts that are asked at the same time, each for one feed."""


def bring_in(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An OPML file; - for standard input.")],
    authority: Annotated[float | None, option("How far to trust these feeds, 0 to 1.", "N", min=0, max=1)] = None,
    no_check: Annotated[bool, flag("--no-check", "Add them unread: where only the workers can reach them.")] = False,
    is_json: Json = False,
) -> None:
    """Read each feed of an OPML file and add it with its folder. Sources that exist already stay as they are."""
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as source:
            feeds = read_opml(source.read(LARGEST + 1))
    except (OSError, EngineError) as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error
    failed: list[dict[str, str]] = []
    with database() as conn:
        known = {row["url"] for row in SQL.all(conn, "source_addresses")}
        new = [feed for feed in feeds if feed.address not in known]
        added = 0
        with progress("reading feeds", len(new)) as step:
            for feed, answer in _read(None if no_check else service(in_force(conn), "engine").open(), new):
                if isinstance(answer, EngineError):
                    failed.append({"url": feed.address, "name": feed.name, "code": answer.code, "why": str(answer)})
                else:
                    added += _add(conn, feed, answer, authority)
                step()
        if added:
            _pull(conn)
    there = len(feeds) - added - len(failed)
    if in_json({"added": added, "already_there": there, "failed": failed}, is_json=is_json):
        return
    console().print(f"{added} added, {there} already there" + (f", {len(failed)} could not be read:" if failed else ""))
    for one in sorted(failed, key=lambda one: one["url"]):
        tell(f"  {one['url']}  {one['why']}")
    if failed:
        console().print("the same command tries these again; --no-check adds them unread", soft_wrap=True)


def _read(
    engine: Finder | None, feeds: Sequence[Listed]
) -> Iterator[tuple[Listed, ContentSource | EngineError | None]]:
    """Each feed's contents, or the reason why it cannot be read, as answers come. A host gets one request at a time.

    Without an engine only the addresses are checked.
    """
    hosts: dict[str, list[Listed]] = {}
    for feed in feeds:
        hosts.setdefault(site_of(feed.address), []).append(feed)

    def one(feed: Listed) -> ContentSource | EngineError | None:
        try:
            parse(feed.address)  # not such as a mailbox
            if engine is None:
                return None
            found = engine.discover(feed.address).feeds  # lists written by hand have pages in place of feeds
        except EngineError as error:
            return error
        if len(found) == 1:
            return found[0]
        return EngineError("not_a_feed", f"is a page with {len(found)} feeds: " + ", ".join(one.url for one in found))

    def of_host(mine: list[Listed]) -> list[tuple[Listed, ContentSource | EngineError | None]]:
        return [(feed, one(feed)) for feed in mine]

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for done in as_completed([pool.submit(of_host, mine) for mine in hosts.values()]):
            yield from done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _add(conn: Connection, feed: Listed, answer: ContentSource | None, authority: float | None) -> bool:
    kind = "rss" if answer is None else type_of(answer)
    url = feed.address if answer is None else answer.url
    if SQL.one(conn, "source_by_address", urls=[url]) is not None:
        return False
    name = feed.name or (answer.name if answer is not None else "")
    metadata: dict[str, Any] = {"folder": list(feed.folder)} if feed.folder else {}
    return store.add(conn, kind, url, name=name, authority=authority, metadata=metadata)[1]


def _pull(conn: Connection) -> None:
    """Let the added sources be read now, not at the next tick."""
    with suppress(UnknownTask):
        for task in ("ingest-pull", "ingest-pull-youtube"):
            zeke_jobs.send(task, {}, connection=conn)


def export() -> None:
    """Write the feeds that are on as OPML, in their folders, to standard output."""
    with database() as conn:
        rows = store.listing(conn, active_only=True)
    feeds = [
        Listed(row["name"] or "", row["url"], store.folder_of(row))
        for row in rows
        if row["type"] in {*store.FEED_TYPES, *store.YOUTUBE_TYPES} and row["url"]
    ]
    # In ASCII: a feed's name may contain control characters for terminals, which become character references.
    say(write_opml(feeds).decode().encode("ascii", "xmlcharrefreplace").decode(), end="")
