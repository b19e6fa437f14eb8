"""``zeke-news sources``: add, list, switch on and off, health, import and export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from actors.cli import opml
from actors.cli.output import ago, as_json, console, database, escape, short, table, visible
from actors.store import news
from actors.store import sources as store
from actors.store.news import NotFound

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

app = typer.Typer(help="Sources: add, list, switch on and off, health.", invoke_without_command=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Which = Annotated[str, typer.Argument(help="Its id (the beginning is enough), address or name.", metavar="SOURCE")]

app.command("import", short_help="Add the feeds of an OPML file.")(opml.bring_in)
app.command("export", short_help="Write the feeds that are on as OPML.")(opml.export)


@app.callback()
def default(context: typer.Context, is_json: Json = False) -> None:
    """List the sources unless a command is named."""
    if context.invoked_subcommand is None:
        _list(is_json=is_json, active=False)


@app.command("list", short_help="List all sources with health and next check.")
def listing(
    is_json: Json = False, active: Annotated[bool, typer.Option("--active", help="Only those that are on.")] = False
) -> None:
    """All sources with their health and next check."""
    _list(is_json=is_json, active=active)


def _list(*, is_json: bool, active: bool) -> None:
    with database() as conn:
        rows = store.listing(conn, active_only=active)
    if is_json:
        as_json(rows)
        return
    if not rows:
        console().print("no sources yet; add one: zeke-news sources add https://example.org/feed.xml", soft_wrap=True)
        return
    shown = [
        (short(row["id"]), row["type"], row["name"] or row["url"], _health(row), _next(row), row["authority_score"])
        for row in rows
    ]
    console().print(table(["id", "type", "source", "health", "next check", "authority"], shown))


@app.command(short_help="Add a source.")
def add(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A feed, or a YouTube channel (address, @handle page or UC… id).")
    ],
    kind: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="rss, podcast or youtube_channel; guessed by default.")
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it; else its feed says.")] = "",
    authority: Annotated[
        float | None, typer.Option(metavar="N", help="How far to trust it, 0 to 1.", min=0, max=1)
    ] = None,
    is_json: Json = False,
) -> None:
    """Add a source. It is read at the next pull, or at once: zeke-jobs send ingest-source."""
    kind = kind or _guess(url)
    if kind not in {*store.FEED_TYPES, *store.YOUTUBE_TYPES}:
        expected = ", ".join((*store.FEED_TYPES, *store.YOUTUBE_TYPES))
        raise typer.BadParameter(f"expected one of {expected}, got {kind!r}", param_hint="--type")
    if kind in store.FEED_TYPES and not url.lower().startswith(("http://", "https://")):
        raise typer.BadParameter(f"expected an address that begins with https://, got {url!r}", param_hint="URL")
    with database() as conn:
        source_id, is_new = store.add(conn, kind, url, name=name, authority=authority)
    if is_json:
        as_json({"id": source_id, "type": kind, "url": url, "new": is_new})
        return
    console().print(visible(f"{'added' if is_new else 'already there:'} {kind} {url}"), soft_wrap=True, markup=False)
    console().print(f'read it now: zeke-jobs send ingest-source \'{{"source_id": "{source_id}"}}\'', soft_wrap=True)


@app.command()
def off(source: Which, is_json: Json = False) -> None:
    """Switch a source off; its stories stay."""
    _switch(source, on=False, is_json=is_json)


@app.command()
def on(source: Which, is_json: Json = False) -> None:
    """Switch a source on again."""
    _switch(source, on=True, is_json=is_json)


def _switch(name: str, *, on: bool, is_json: bool) -> None:
    with database() as conn:
        found = _find(conn, name)
        changed = store.switch(conn, found, on=on)
    if is_json:
        as_json({"id": found, "is_active": on, "changed": changed})
        return
    said = visible(f"{name}: {'now' if changed else 'already'} {'on' if on else 'off'}")
    console().print(said, soft_wrap=True, markup=False)


@app.command(short_help="Say why sources do not deliver.")
def health(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="One source; all that are not well by default.")] = "",
    is_json: Json = False,
) -> None:
    """Why a source does not deliver: status, message, last success and error, unfinished jobs."""
    with database() as conn:
        rows = store.listing(conn)
        if source:
            wanted = _find(conn, source)
            rows = [row for row in rows if str(row["id"]) == str(wanted)]
        else:
            rows = [row for row in rows if not row["is_active"] or row["status"] not in {None, "ok"}]
        for row in rows:
            jobs = news.jobs_about(conn, sources=[str(row["id"])])
            row["jobs"] = [job for job in jobs if job["state"] not in {"completed", "cancelled"}]
    if is_json:
        as_json(rows)
        return
    if not rows:
        console().print("all sources are well")
    for row in rows:
        _print_health(row)


def _print_health(row: dict[str, Any]) -> None:
    out = console()
    name = escape(row["name"] or row["url"] or "?")
    out.print(f"[bold]{name}[/bold]  {short(row['id'])}  {escape(_health(row))}", soft_wrap=True)
    for title, value in (
        ("address", row["url"]),
        ("message", row["message"]),
        ("last success", ago(row["last_success_at"])),
        ("last error", ago(row["last_error_at"])),
        ("next check", _next(row)),
    ):
        if value:
            out.print(visible(f"  {title:12} {value}"), soft_wrap=True, markup=False)
    for job in row["jobs"]:
        said = visible(f"  job {job['task']} {job['state']} {job['waiting_for'] or ''}".rstrip())
        out.print(said, soft_wrap=True, markup=False)


def _find(conn: Connection, name: str) -> UUID:
    found = news.find_source(conn, name)
    if found is None:
        raise NotFound(f"expected the id, address or name of a source, got {name!r}; see zeke-news sources")
    return found


def _health(row: dict[str, Any]) -> str:
    if not row["is_active"]:
        return "off"
    return row["status"] or ("by hand" if row["type"] == store.MANUAL else "not read yet")


def _next(row: dict[str, Any]) -> str:
    return ago(row["next_check_at"]) if row["is_active"] else ""


def _guess(url: str) -> str:
    lower = url.lower()
    is_youtube = "youtube.com/" in lower or (url.startswith("UC") and len(url) == 24)
    return "youtube_channel" if is_youtube else "rss"
