"""Runs ``zeke-news sources refresh``, ``backfill``, ``rename``, ``remove`` and ``merge``."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import typer
from psycopg2.extensions import connection as Connection

import zeke_jobs
from actors.cli.output import Json, ago, answer, console, database, short, visible
from actors.engine.canonical import site_of
from actors.store import SQL, news, sources as store
from zeke_jobs.cli.options import argument, flag, option
from zeke_jobs.cli.output import counter
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres.pool import transaction

Which = Annotated[str, argument("Its id (the beginning is enough), address or name.", "SOURCE")]
NO_WORKER = "no worker runs: zeke-jobs up starts them, and they do it then"

_PATIENCE = 300.0  # seconds that a command waits for its jobs
_LOOK = 0.2  # seconds
_ENDED = {"completed", "failed", "cancelled"}
_GOOD = {"read", "not_modified"}


def refresh(
    source: Annotated[str, argument("One source; by default all that are switched on.", "SOURCE")] = "",
    is_json: Json = False,
) -> None:
    """Read sources now, due or not, and wait for the results."""
    with database() as conn:
        wanted = [_readable(conn, source)] if source else [row for row in _all(conn) if row["is_active"]]
        read = _read(conn, wanted)
    answer(read, *_told_reads(read, is_one=bool(source)), is_json=is_json)
    if read and all(one["outcome"] not in _GOOD for one in read):
        raise typer.Exit(1)


def backfill(
    source: Which,
    items: Annotated[int, option("Largest number of items, the newest first.", "N", min=1, max=10_000)] = 50,
    is_json: Json = False,
) -> None:
    """Bring in items that were left out when the source was new; they are fetched one after another."""
    with database() as conn:
        (read,) = _read(conn, [_readable(conn, source)], backfill=items)
    left = f"{read['backlog_left']} are left" if read["backlog_left"] else "none is left"
    fetched = f"{read['backfilled']} items are fetched, and become stories unless a filter drops them; {left}"
    said = [f"{read['source']}: {fetched}"] if read["outcome"] in _GOOD else _told_reads([read], is_one=True)
    answer(read, *said, is_json=is_json)
    if read["outcome"] not in _GOOD:
        raise typer.Exit(1)


def rename(source: Which, name: Annotated[str, argument("The new name.", "NAME")], is_json: Json = False) -> None:
    """Rename a source."""
    if not name.strip():
        raise typer.BadParameter("expected a name, got nothing", param_hint="NAME")
    with database() as conn:
        found = news.find_source(conn, source)
        changed = SQL.run(conn, "source_rename", source_id=found, name=name.strip()) > 0
    said = f"{source}: {'now' if changed else 'already'} called {name.strip()}"
    answer({"id": found, "name": name.strip(), "changed": changed}, said, is_json=is_json)


def remove(source: Which, yes: Annotated[bool, flag("--yes", "Do not ask.")] = False, is_json: Json = False) -> None:
    """Remove a source with its items and stories, after asking; `sources off` keeps them."""
    with database() as conn:
        found = news.find_source(conn, source)
        told = SQL.only(conn, "source_extent", source_id=found)
        going = told["stories"] - told["shared"]
        said = visible(f"{source}: {told['items']} items, {going} stories of its own ({told['starred']} starred)")
        if not yes:
            console().print(said, soft_wrap=True, markup=False)
            if not sys.stdin.isatty():
                raise ZekeJobsError("expected --yes without a terminal; zeke-news sources off keeps the stories")
            if not typer.confirm("Remove all this?"):
                console().print("nothing was removed; zeke-news sources off keeps the stories", soft_wrap=True)
                raise typer.Exit(1)
        with transaction(conn):
            store.remove(conn, found)
    said += f"; {told['shared']} stories stay with other sources that have them" if told["shared"] else ""
    answer({"id": found, **told, "removed": True}, f"removed {said}", is_json=is_json)


def merge(
    source: Which,
    into: Annotated[str, argument("The source that stays, such as the feed's new address.", "INTO")],
    is_json: Json = False,
) -> None:
    """Move a source's items and stories to another source, and remove the emptied source."""
    with database() as conn:
        old, new = news.find_source(conn, source), news.find_source(conn, into)
        if old == new:
            raise typer.BadParameter("expected two sources, got the same one twice", param_hint="INTO")
        with transaction(conn):
            moved = store.remove(conn, old, into=new)
    said = f"{source}: {moved} items moved to {into}; the source is removed"
    answer({"removed": old, "into": new, "items": moved}, said, is_json=is_json)


def _all(conn: Connection) -> list[dict[str, Any]]:
    kinds = {*store.POLLED_TYPES, *store.YOUTUBE_TYPES}
    return [row for row in store.listing(conn) if row["type"] in kinds and row["url"]]


def _readable(conn: Connection, name: str) -> dict[str, Any]:
    found = news.find_source(conn, name)
    row = next((row for row in _all(conn) if row["id"] == found), None)
    if row is None:
        raise ZekeJobsError(f"expected a source with a feed, got {name!r}, whose items come by hand")
    if not row["is_active"]:
        raise ZekeJobsError(f"expected a source that is on, got {name!r}; zeke-news sources on {short(found)}")
    return row


def _read(conn: Connection, wanted: Sequence[dict[str, Any]], *, backfill: int = 0) -> list[dict[str, Any]]:
    sent = send_reads(conn, [(row["id"], row["url"]) for row in wanted], backfill=backfill)
    if sent and not SQL.value(conn, "news_has_worker"):
        raise ZekeJobsError(f"sent, but {NO_WORKER}")
    known = _followed(conn, sent)
    names = {str(row["id"]): row["name"] or row["url"] for row in wanted}
    read = []
    for job_id, source_id in sent.items():
        job = known.get(job_id)
        output = job["output"] if job is not None and isinstance(job["output"], dict) else {}
        is_done = job is not None and job["state"] == "completed"
        outcome = output.get("outcome", "unknown") if is_done else "not_read"
        counts = {count: output.get(count, 0) for count in ("new", "edited", "backfilled", "backlog_left")}
        told = {"id": source_id, "source": names[str(source_id)], "outcome": outcome, **counts}
        read.append({**told, "detail": "" if outcome in _GOOD else _told(job)})
    return read


def _told_reads(read: Sequence[dict[str, Any]], *, is_one: bool) -> Iterator[str]:
    good = [one for one in read if one["outcome"] in _GOOD]
    bad = [one for one in read if one["outcome"] not in _GOOD]
    for one in good:
        if is_one or one["new"] or one["edited"]:
            edited = f", {one['edited']} edited" if one["edited"] else ""
            yield f"{one['source']}: {one['new']} new{edited}"
    yield from (f"{one['source']}: could not be read: {one['detail']}" for one in bad)
    if not is_one:
        new = sum(one["new"] for one in good)
        yield f"{len(good)} read, {new} new items" + (f"; {len(bad)} could not be read" if bad else "")


def send_reads(conn: Connection, named: Sequence[tuple[UUID, str]], *, backfill: int = 0) -> dict[str, UUID]:
    """Send ingest-source for each source in ``named`` (id, address). Returns the sources' ids by job id."""
    sent: dict[str, UUID] = {}
    more = {"backfill": backfill} if backfill else {}
    with transaction(conn):
        SQL.run(conn, "sources_queue", ids=[source_id for source_id, _ in named])
        for source_id, url in named:
            payload = {"source_id": str(source_id), "reason": "manual", **more}
            one = zeke_jobs.send("ingest-source", payload, key=site_of(url) or None, priority=10, connection=conn)
            sent[str(one.id)] = source_id
    return sent


def _followed(conn: Connection, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Wait up to five minutes until all jobs have ended or are postponed, and return their last states by id."""
    known: dict[str, dict[str, Any]] = {}
    left = set(ids)
    end = time.monotonic() + _PATIENCE
    with counter() as show:
        while left and time.monotonic() < end:
            show(f"reading sources; {len(left)} are left")
            known |= {str(row["id"]): row for row in SQL.all(conn, "news_jobs_named", ids=sorted(left))}
            put_off = {one for one, job in known.items() if job["is_later"] and job["state"] != "active"}
            left -= put_off | {one for one, job in known.items() if job["state"] in _ENDED}
            time.sleep(_LOOK if left else 0)
    return known


def _told(job: Mapping[str, Any] | None) -> str:
    if job is None:
        return "its job is gone"
    if job["state"] == "completed":
        output = job["output"] if isinstance(job["output"], dict) else {}
        return str(output.get("detail") or output.get("outcome") or "done")
    if job["state"] in _ENDED:
        error = job["error"] if isinstance(job["error"], dict) else {}
        return f"{job['state']}: {error.get('message') or 'no reason given'}"
    waiting = job["waiting_for"] or "it is tried again"
    return f"not yet, {ago(job['start_after'])}: {waiting}" if job["is_later"] else f"not yet: {job['state']}"
