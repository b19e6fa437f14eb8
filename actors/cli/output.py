"""Prints the answers of ``zeke-news``: tables that fit a terminal, or JSON for a script."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
from psycopg2.extensions import DECIMAL, connection as Connection, new_type, register_type

from zeke_jobs.cli.database import choose
from zeke_jobs.cli.options import flag, option
from zeke_jobs.cli.output import Console, escape, listing as table, named, print_json, say
from zeke_jobs.core.quoting import visible
from zeke_jobs.core.wording import span
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

_NUMBER = new_type(DECIMAL.values, "NUMBER", lambda text, _: text and (int(text) if text.isdigit() else float(text)))
_NO_TEAM = "the team of readers without one"
Json = Annotated[bool, flag("--json", "Print JSON.")]
Team = Annotated[UUID, option("For this team.", "UUID", envvar="ZEKE_NEWS_TEAM", show_default=_NO_TEAM)]

__all__ = ["Console", "escape", "named", "say", "table", "visible"]


@contextmanager
def database() -> Iterator[Connection]:
    """Connect to ``DATABASE_URL``, or to the server that ``zeke-jobs up`` runs in this folder. Decimals become floats."""
    with closing(connect(choose(), application_name="zeke-news")) as conn:
        register_type(_NUMBER, conn)
        migrate.verify(conn, ["actors.store"])
        yield conn


def console() -> Console:
    """Return a console on stdout that colours only marked-up text."""
    return Console(highlight=False, emoji=False)


def tell(text: str) -> None:
    """Print a text on one line, however long. The text may be untrusted, so control characters are escaped."""
    console().print(visible(text), soft_wrap=True, markup=False)


def end_in_json(value: Any, *, is_json: bool, status: int = 0) -> None:
    """If ``is_json``, print ``value`` as JSON and end the command with the exit status ``status``."""
    if is_json:
        print_json(value)
        raise typer.Exit(status)


def answer(value: Any, *said: str, is_json: bool) -> None:
    """If ``is_json``, print ``value`` as JSON. Otherwise print each text of ``said`` on its own line."""
    if is_json:
        print_json(value)
        return
    for text in said:
        tell(text)


def ago(moment: datetime | None) -> str:
    """Return how long ago or how far ahead a moment is: ``5m``, ``3h10m``, ``in 4m``, or an empty string for None."""
    passed = None if moment is None else datetime.now(UTC) - moment
    return "" if passed is None else f"{'in ' if passed < timedelta(0) else ''}{span(passed)}"


def short(identity: object) -> str:
    """Return the first eight characters of an id. Commands accept such a short id."""
    return str(identity)[:8]


def chili(value: float | None) -> str:
    """Return a chili score as text, or a dash if the story is not analysed yet."""
    return "-" if value is None else f"{value:g}"
