"""Runs ``zeke-news sources add``, ``test``, ``import`` and ``export``, which find feeds and read or write OPML."""

import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg2.extensions import connection as Connection

import zeke_jobs
from actors.cli.engine import CannotRead, in_force, service, task_settings
from actors.cli.managing import NO_WORKER, send_reads
from actors.cli.output import Json, ago, answer, console, database, end_in_json, escape, say, short, tell
from actors.engine.contract import ContentSource, EngineError
from actors.engine.discovery.addresses import is_mailbox, typed
from actors.engine.discovery.links import selector_of, with_selector
from actors.engine.fetch import parse
from actors.engine.opml import LARGEST, Listed, write_opml
from actors.engine.reading import read_opml
from actors.sources.source import FirstFetch
from actors.store import SQL, sources as store
from zeke_jobs.cli.options import argument, flag, option
from zeke_jobs.errors import UnknownTask

_SHOWN = 5
_SETTING = {
    "too_large": "services.engine.feed_bytes in jobs.yaml sets how much is read",
    "timeout": "services.engine.feed_timeout in jobs.yaml sets how long it may take",
    "too_many_redirects": "services.engine.redirects in jobs.yaml sets how many are followed",
    "forbidden": "some sites let readers in that say who they are: services.engine.contact in jobs.yaml",
    "rate_limited": "the site asks for patience; try again later",
}

Url = Annotated[
    str, argument("A feed or any page of the site; a channel, profile, repository, podcast, r/name.", "URL")
]
Select = Annotated[str, option("For a page without a feed: the CSS selector of the links to its articles.", "SELECTOR")]
Folder = Annotated[str, option("A folder for it; Tech/Python is a folder inside another.", "NAME")]


def add(
    url: Url,
    kind: Annotated[
        str, option("rss, podcast or youtube_channel; by default found from the feed.", "TYPE", "--type")
    ] = "",
    name: Annotated[str, option("Its name; by default the feed's.", "NAME")] = "",
    authority: Annotated[float | None, option("How far to trust it, 0 to 1.", "N", min=0, max=1)] = None,
    folder: Folder = "",
    select: Select = "",
    pick: Annotated[int | None, option("The number of the feed, if a page has several.", "N", min=1)] = None,
    no_check: Annotated[bool, flag("--no-check", "Add it unread, if only the workers can reach it.")] = False,
    is_json: Json = False,
) -> None:
    """Find the feed of an address, read it, show its newest titles, and add it."""
    if kind and kind not in {*store.FEED_TYPES, *store.YOUTUBE_TYPES}:
        expected = ", ".join((*store.FEED_TYPES, *store.YOUTUBE_TYPES))
        raise typer.BadParameter(f"expected one of {expected}, got {kind!r}", param_hint="--type")
    address, url = _checked(url, select)
    steps = [step.strip() for step in folder.split("/") if step.strip()]
    metadata: dict[str, Any] = {"folder": steps} if steps else {}
    with database() as conn:
        feed = _unread(address) if no_check else _choose(_discover(conn, url), pick, is_json=is_json)
        known = SQL.one(conn, "source_by_address", urls=[feed.url, feed.id, address])
        first = FirstFetch.model_validate(task_settings(in_force(conn), "ingest-source").get("first_fetch", {}))
        url, kind = feed.url, _type_of(feed, kind)
        twin = None
        if known is None:
            name = name or feed.name
            newest = _newest(feed)
            mine = {"items": [item.id for item in newest], "urls": [item.url or None for item in newest]}
            twin = SQL.one(conn, "source_twin", **mine) if newest else None
            source_id, is_new = store.add(conn, kind, url, name=name, authority=authority, metadata=metadata)
        else:
            source_id, is_new = known["id"], False
        waits = f"not read yet; read it now: zeke-news sources refresh {short(source_id)}" if no_check else ""
        if is_new and not no_check:
            try:
                send_reads(conn, [(source_id, url)])
                waits = "" if SQL.value(conn, "news_has_worker") else NO_WORKER
            except UnknownTask:
                waits = "no jobs.yaml with ingest-source is in force yet; it is read once zeke-jobs up runs with one"
    said: dict[str, Any] = {"id": source_id, **_facts(feed), "type": kind, "new": is_new}
    if twin is not None:
        said["same_items_as"] = twin["id"]
    end_in_json(said, is_json=is_json)
    _print(feed, f"{'added' if is_new else 'already there:'} {said['type']}  {name or feed.name}  {short(source_id)}")
    left = len(feed.items or []) - first.items
    if is_new and left > 0:
        kept = f"the newest {first.items} of {len(feed.items or [])} items become stories; the others too:"
        console().print(f"{kept} zeke-news sources backfill {short(source_id)} --items {left}", soft_wrap=True)
    if twin is not None:
        told = f"{twin['name']} has all of these: where it is the same feed, zeke-news sources merge"
        tell(f"{told} {short(source_id)} {short(twin['id'])}")
    if waits:
        console().print(waits, soft_wrap=True)


def try_out(url: Url, select: Select = "", is_json: Json = False) -> None:
    """Find and read the feeds of an address, and show their contents; nothing is added."""
    url = _checked(url, select)[1]
    with database() as conn:
        found = _discover(conn, url)
    end_in_json([_facts(feed) for feed in found], is_json=is_json)
    for feed in found:
        _print(feed, f"can be read: {_type_of(feed)}  {feed.name}")


def bring_in(
    file: Annotated[Path, argument("An OPML file; - for standard input.", "FILE")],
    authority: Annotated[float | None, option("How far to trust these feeds, 0 to 1.", "N", min=0, max=1)] = None,
    is_json: Json = False,
) -> None:
    """Add the feeds of an OPML file with their folders. Workers then read the feeds. Existing sources do not change."""
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
                kind, metadata = _type_of(_unread(feed.address)), {"folder": list(feed.folder)} if feed.folder else {}
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
    """Write the feeds that are switched on, with their folders, to standard output as OPML."""
    with database() as conn:
        rows = store.listing(conn, active_only=True)
    feeds = [
        Listed(row["name"] or "", row["url"], store.folder_of(row))
        for row in rows
        if row["type"] in {*store.FEED_TYPES, *store.YOUTUBE_TYPES} and row["url"]
    ]
    # A name may contain terminal control characters. In ASCII output, they become XML character references.
    say(write_opml(feeds).decode().encode("ascii", "xmlcharrefreplace").decode(), end="")


def _discover(conn: Connection, url: str) -> list[ContentSource]:
    """Return the feeds that the configured Engine finds for an address. Raises CannotRead if that fails."""
    try:
        return list(service(in_force(conn), "engine").open().discover(url).feeds)
    except EngineError as error:
        address = typed(url)
        setting = None if address.startswith("imap:") else _SETTING.get(error.code)
        if "services.engine." in str(error):
            setting = "zeke-jobs apply puts a changed jobs.yaml in force"
        raise CannotRead(f"{address} cannot be read: {error}" + (f"\n  help: {setting}" if setting else "")) from error


def _unread(address: str) -> ContentSource:
    """Return a feed with this address, without reading the feed."""
    return ContentSource(id=address, url=address, source_type="youtube" if "youtube.com/" in address.lower() else "rss")


def _type_of(feed: ContentSource, kind: str = "") -> str:
    """Return a feed's source type, from the address, or else ``kind`` (given by a person), or else the contents."""
    by_address = store.NEWSLETTER if is_mailbox(feed.url) else store.PAGE if selector_of(feed.url) else ""
    looks = {"youtube": "youtube_channel", "podcast": "podcast"}.get(feed.source_type, "rss")
    return by_address or kind or looks


def _checked(url: str, selector: str) -> tuple[str, str]:
    """Return the source's full address, and ``url`` as typed, without its fragment unless this is a CSS selector."""
    url = url if selector_of(url) else url.partition("#")[0]
    try:
        url = with_selector(url, selector) if selector else url
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--select") from error
    address = typed(url)
    try:
        if selector or not is_mailbox(address):
            parse(address)
    except EngineError as error:
        raise typer.BadParameter(str(error), param_hint="URL") from error
    return address, url


def _choose(found: list[ContentSource], pick: int | None, *, is_json: bool) -> ContentSource:
    """Return the only feed, the feed with number ``pick``, or the feed that a person chooses."""
    if len(found) == 1:
        return found[0]
    if pick is None:
        end_in_json({"choices": [_facts(feed) for feed in found]}, is_json=is_json, status=1)
        console().print(f"{len(found)} feeds are there:")
        for number, feed in enumerate(found, 1):
            _print(feed, f"{number}  {_type_of(feed)}  {feed.name}")
        if not sys.stdin.isatty():
            console().print("nothing was added; name one by its address, or with --pick N")
            raise typer.Exit(1)
        pick = typer.prompt("Which one?", type=int)
    if not 1 <= pick <= len(found):
        raise typer.BadParameter(f"expected a number from 1 to {len(found)}, got {pick}", param_hint="--pick")
    return found[pick - 1]


def _newest(feed: ContentSource) -> list[Any]:
    dated: list[Any] = [item for item in feed.items or [] if item.published_at is not None]
    return (sorted(dated, key=lambda item: item.published_at, reverse=True) or list(feed.items or []))[:_SHOWN]


def _facts(feed: ContentSource) -> dict[str, Any]:
    newest = [{"title": one.title, "url": one.url, "published_at": one.published_at} for one in _newest(feed)]
    told = {"name": feed.name, "type": _type_of(feed), "url": feed.url}
    return {**told, "items": len(feed.items or []), "newest": newest}


def _print(feed: ContentSource, head: str) -> None:
    console().print(f"[bold]{escape(head)}[/bold]", soft_wrap=True)
    tell(f"   {feed.url}")
    if feed.items == []:
        tell("   no items yet")
    for item in _newest(feed):
        tell(f"   {ago(item.published_at):>6}  {item.title or item.url}")
