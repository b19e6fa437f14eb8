"""Runs ``zeke-news sources``: it lists sources, switches them on and off, and shows their health."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from actors import waiting
from actors.cli import adding, managing
from actors.cli.managing import Which
from actors.cli.output import Json, ago, answer, console, database, end_in_json, escape, named, short, table, tell
from actors.engine.canonical import site_of
from actors.outcomes import Outcome
from actors.store import SQL, news, sources as store
from zeke_jobs.cli.options import argument, flag
from zeke_jobs.core.wording import when

_WELL = {"ok", "by hand", "not read yet"}

app = typer.Typer(help="Add, list, read and switch sources, and show their health.", invoke_without_command=True)

app.command("add", short_help="Find the feed of an address, and add it.")(adding.add)
app.command("test", short_help="Find and read a feed; add nothing.")(adding.try_out)
app.command("refresh", short_help="Read sources now, and wait.")(managing.refresh)
app.command("backfill", short_help="Bring in items that were left out at first.")(managing.backfill)
app.command("rename", short_help="Rename a source.")(managing.rename)
app.command("remove", short_help="Remove a source with its stories.")(managing.remove)
app.command("merge", short_help="Move a source's stories to another one.")(managing.merge)
app.command("import", short_help="Add the feeds of an OPML file.")(adding.bring_in)
app.command("export", short_help="Write the feeds that are on as OPML.")(adding.export)


@app.callback()
def default(context: typer.Context, is_json: Json = False) -> None:
    """List the sources if no command is given."""
    if context.invoked_subcommand is None:
        listing(is_json=is_json)


@app.command("list", short_help="List all sources with health and next check.")
def listing(
    is_json: Json = False, active: Annotated[bool, flag("--active", "Only sources that are switched on.")] = False
) -> None:
    """List all sources with their health and next check."""
    with database() as conn:
        rows = store.listing(conn, active_only=active)
    columns = named("id, type, source, health, stories, next check, authority=authority_score")
    columns |= {"id": lambda row: short(row["id"]), "source": _named, "health": _health}
    columns |= {"stories": _stories, "next check": _next}
    empty = "no sources yet; add one: zeke-news sources add https://example.org/"
    table(rows, columns, empty=empty, as_json=is_json)


def _named(row: Mapping[str, Any]) -> str:
    folder = "/".join(store.folder_of(row))
    return f"{row['name'] or row['url']}{f'  [{folder}]' if folder else ''}"


@app.command("on", help="Switch a source on again.")
@app.command("off", help="Switch a source off; its stories stay.")
def switch(context: typer.Context, source: Which, is_json: Json = False) -> None:
    """Switch a source on for the command ``on``, and off for the command ``off``."""
    with database() as conn:
        found, is_on = news.find_source(conn, source), context.info_name == "on"
        changed = SQL.run(conn, "source_switch", source_id=found, is_active=is_on) > 0
    said = f"{source}: {'now' if changed else 'already'} {context.info_name}"
    answer({"id": found, "is_active": is_on, "changed": changed}, said, is_json=is_json)


@app.command(short_help="Say why sources do not deliver.")
def health(
    source: Annotated[str, argument("One source; by default all with problems.", "SOURCE")] = "",
    is_json: Json = False,
) -> None:
    """Show why a source delivers nothing: status, message, failed and waiting articles, pauses and unfinished jobs."""
    with database() as conn:
        rows = store.listing(conn)
        if source:
            wanted = news.find_source(conn, source)
            rows = [row for row in rows if row["id"] == wanted]
        else:
            rows = [row for row in rows if not row["is_active"] or _health(row) not in _WELL]
        resting = {row["who"]: row for row in waiting.now(conn)}
        for row in rows:
            jobs = news.jobs_about(conn, sources=[str(row["id"])])
            row["jobs"] = [job for job in jobs if job["state"] not in {"completed", "cancelled"}]
            row["rests"] = resting.pop(waiting.host(site_of(row["url"] or "")), None)
    end_in_json(rows, is_json=is_json)
    if not rows:
        console().print("all sources are well")
    for row in rows:
        _print_health(row)
    for rest in resting.values():
        tell(f"{rest['who']} is left alone, {_rest(rest)}")


def _print_health(row: Mapping[str, Any]) -> None:
    name, details = escape(row["name"] or row["url"] or "?"), row["article_details"]
    console().print(f"[bold]{name}[/bold]  {short(row['id'])}  {escape(_health(row))}", soft_wrap=True)
    lost = _counts(row)[1].items()
    told = [("address", row["url"]), ("message", row["message"]), ("last success", ago(row["last_success_at"]))]
    told += [("last error", ago(row["last_error_at"])), ("next check", _next(row)), ("stories", _stories(row))]
    told += [("", f"{count} {one.value}: {details.get(one) or 'no reason given'}") for one, count in lost]
    told.append(("left alone", _rest(row["rests"]) if row["rests"] else ""))
    for title, value in told:
        if value:
            tell(f"  {title:12} {value}")
    for job in row["jobs"]:
        tell(f"  job {job['task']} {job['state']} {job['waiting_for'] or ''}".rstrip())


def _rest(row: Mapping[str, Any]) -> str:
    return f"until {when(row['until'])}: {row['why']}"


def _health(row: Mapping[str, Any]) -> str:
    if not row["is_active"]:
        return "off"
    good, lost = _counts(row)
    if row["type"] != store.MANUAL and row["status"] in {"ok", None} and sum(lost.values()) >= max(1, good):
        return "articles fail"  # at least half of the articles fail
    return row["status"] or ("by hand" if row["type"] == store.MANUAL else "not read yet")


def _next(row: Mapping[str, Any]) -> str:
    return ago(row["next_check_at"]) if row["is_active"] else ""


def _stories(row: Mapping[str, Any]) -> str:
    """Return how many stories a source has, and how many articles failed or wait: ``12; 3 forbidden, 2 wait``."""
    good, lost = _counts(row)
    dropped = row["articles"].get(Outcome.FILTERED, 0)
    waiting = lost.pop(Outcome.RETRYING, 0) + row["articles"].get(Outcome.QUEUED, 0)
    parts = [f"{dropped} of {sum(row['articles'].values())} dropped"] if dropped else []
    parts += [f"{count} {outcome.value}" for outcome, count in lost.items()]
    parts += [f"{waiting} wait" if waiting > 1 else "1 waits"] if waiting else []
    return f"{good}; {', '.join(parts)}" if parts else str(good or "")


def _counts(row: Mapping[str, Any]) -> tuple[int, dict[Outcome, int]]:
    """Return the number of stories, and for each outcome the number of failed or retried articles, highest first."""
    told = Counter({Outcome(name): count for name, count in row["articles"].items()})
    good = sum(count for outcome, count in told.items() if outcome.status == "completed")
    others = {Outcome.QUEUED, Outcome.BACKLOG, Outcome.FILTERED}
    lost = (one for one in told.most_common() if one[0].status != "completed" and one[0] not in others)
    return good, dict(lost)
