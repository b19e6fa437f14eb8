"""Runs ``zeke-news alert``, which manages alerts (saved searches). A new story that matches is sent immediately."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from psycopg2.extensions import connection as Connection

from actors.cli import search
from actors.cli.engine import in_force, task_settings
from actors.cli.output import Json, ago, answer, database, named, short, table
from actors.store import SQL, news
from actors.store.news import NotFound
from zeke_jobs.cli.options import argument, option
from zeke_jobs.cli.run import UsageError
from zeke_jobs.core.wording import when
from zeke_jobs.postgres.pool import transaction

app = typer.Typer(help="Saved searches whose new stories are sent at once.", no_args_is_help=True)

Name = Annotated[str, argument("Its name.", "NAME")]
_NAMED = "\n  help: tasks.deliver-alert.settings.receivers in jobs.yaml has them; zeke-jobs apply puts it in force"


@app.command(short_help="Send each new story that fits, once.")
def add(
    name: Name,
    query: Annotated[str, argument("As for `search`; without one, all stories.", "QUERY")] = "",
    min_chili: Annotated[float | None, option("At least this hot, 0 to 5.", "N", min=0, max=5)] = None,
    to: Annotated[list[str] | None, option("A receiver of deliver-alert in jobs.yaml.", "RECEIVER")] = None,
    is_json: Json = False,
) -> None:
    """Add an alert: each new story that matches is sent once, to receivers of deliver-alert in jobs.yaml."""
    wanted = search.parse([query], datetime.now(UTC))
    if wanted.since is not None:
        raise UsageError("expected a query without since:, got one; an alert sends what is found from now on")
    if not (query.strip() or min_chili) or not name.strip() or len(name) > 100:
        raise UsageError("expected a name, and a query or --min-chili; else each story would be sent")
    with database() as conn:
        known = task_settings(in_force(conn), "deliver-alert").get("receivers", {})
        if missing := [one for one in to or ["none"] if one not in known]:
            there = f"there are: {', '.join(sorted(known)) or 'none yet'}{_NAMED}"
            raise UsageError(f"expected --to with a receiver of deliver-alert, got {missing[0]}; {there}")
        if wanted.words:
            news.check_words(conn, wanted.words)
        receivers = list(dict.fromkeys(to or []))
        told = {"name": name.strip(), "query": query, "min_chili": min_chili, "receivers": receivers}
        if SQL.one(conn, "alert_add", **told, words=wanted.words, sources=list(wanted.sources)) is None:
            raise UsageError(f"expected a new name, got {name!r}; zeke-news alert remove removes it")
    answer(told, f"from now on {name.strip()} goes to {', '.join(receivers)}", is_json=is_json)


@app.command("list")
def listing(is_json: Json = False) -> None:
    """List the alerts, with counts of sent and waiting stories."""
    with database() as conn:
        rows = SQL.all(conn, "alert_list")
    columns = named("name, query, chili, to, sent, waiting")
    table(rows, columns, empty="no alerts; add one: zeke-news alert add NAME QUERY --to RECEIVER", as_json=is_json)


@app.command()
def remove(name: Name, is_json: Json = False) -> None:
    """Remove an alert and the stories that it has not sent yet.

    If another alert has found such a story too, that alert sends it.
    """
    with database() as conn, transaction(conn):
        if not SQL.run(conn, "alert_remove", name=name):
            raise NotFound(f"expected the name of an alert, got {name!r}; see zeke-news alert list")
        for story in SQL.all(conn, "alert_orphans"):
            SQL.all(conn, "alert_hits", **story)
    answer({"name": name, "removed": True}, f"removed alert {name}", is_json=is_json)


def judged(conn: Connection, story_id: UUID) -> list[tuple[str, str, str]]:
    """Return for each alert and receiver: their names, the state (done, waiting, or ended: not sent), and why."""
    rows = SQL.all(conn, "alerts_of_story", story_id=story_id)
    return [(f"{row['name']} to {row['receiver']}", *_fate(row, story_id)) for row in rows]


def _fate(row: Mapping[str, Any], story_id: UUID) -> tuple[str, str]:
    if row["story_id"] is not None:
        which = "" if row["story_id"] == story_id else f"story {row['number']} is about the same event: "
        by = "" if row["alert"] == row["name"] else f" by {row['alert'] or 'a removed alert'}"
        if row["sent_at"] is not None:
            return "done", f"{which}sent{by} {ago(row['sent_at'])} ago"
        again = ""
        if row["state"] == "retry":
            again = f"; tried again at {when(row['start_after'])}"
        elif row["state"] == "failed":
            again = f"; tried again with the next story that fits, or by zeke-jobs retry {short(row['job'])}"
        return "waiting", f"{which}{row['detail'] or 'its job has not run yet'}{again}"
    least, chili = (f"{float(row[name] or 0):g}" for name in ("min_chili", "chili"))
    reasons = {
        "is_new": "it was found before the alert was added",
        "is_fresh": "it was published more than two days before it was found",
        "is_hot": "it is not analysed yet" if row["chili"] is None else f"chili {chili} is less than {least}",
        "has_words": "its words do not fit",
        "has_source": "it is of another source",
    }
    why = [reason for name, reason in reasons.items() if not row[name]]
    return "ended", f"not sent: {'; '.join(why) or 'it fits since its last analysis, or awaits embed-story'}"
