"""How ``zeke-news`` prints: tables that fit a terminal, or JSON for a script."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.text import Text

from actors.store import news
from zeke_jobs.cli.database import choose
from zeke_jobs.cli.output import Console, Rows, escape, say
from zeke_jobs.core import environment
from zeke_jobs.core.terminal import visible, visible_json
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Team = Annotated[
    str | None, typer.Option(metavar="UUID", help="For this team; ZEKE_NEWS_TEAM by default, else for you without one.")
]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from psycopg2.extensions import connection as Connection

__all__ = ["Console", "escape", "say", "visible"]

TEAM = "ZEKE_NEWS_TEAM"


@contextmanager
def database() -> Iterator[Connection]:
    """A connection to the pipeline's database: ``DATABASE_URL``, else the server that ``zeke-jobs up`` runs here.

    Raises:
        ConfigurationError: there is neither.
        MigrationError: the database is not migrated.
    """
    with closing(connect(choose(), application_name="zeke-news")) as conn:
        migrate.verify(conn, ["actors.store"])
        yield conn


def team_of(text: str | None) -> UUID:
    """The team named by the command or the environment; else the team of readers without one.

    Raises:
        typer.BadParameter: it is not an id.
    """
    text = text or environment.lookup(TEAM)
    try:
        return news.NOBODY if text is None else UUID(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected a team's id (uuid), got {text!r}", param_hint="--team") from error


def console() -> Console:
    """A console on stdout that colours only marked-up text."""
    return Console(highlight=False, emoji=False)


def tell(text: str) -> None:
    """Print a text, which may be foreign, on one line of any length."""
    console().print(visible(text), soft_wrap=True, markup=False)


def as_json(value: Any) -> None:
    """Print ``value`` as JSON; times in ISO 8601, numbers as numbers."""
    say(visible_json(json.dumps(value, indent=2, default=_plain, ensure_ascii=False)))


def in_json(value: Any, *, is_json: bool) -> bool:
    """Print ``value`` as JSON if that was asked for; returns whether it was."""
    if is_json:
        as_json(value)
    return is_json


def table(columns: Sequence[str | tuple[str, dict[str, Any]]], rows: Iterable[Sequence[object]]) -> Rows:
    """A table without borders; a column is a title, or a title with options of rich. Cells are one line, and no markup."""
    made = Rows(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        title, options = (column, {}) if isinstance(column, str) else column
        made.add_column(title, **{"overflow": "fold", **options})
    for row in rows:
        made.add_row(
            *(cell if isinstance(cell, Text) else Text(visible("" if cell is None else str(cell))) for cell in row)
        )
    return made


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """The time since a moment, or until it: ``5m``, ``3h``, ``2d``, ``in 4m``; empty for None."""
    if moment is None:
        return ""
    passed = (now or datetime.now(UTC)) - moment
    ahead = passed < timedelta(0)
    seconds = abs(passed.total_seconds())
    for length, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= length:
            text = f"{int(seconds // length)}{unit}"
            break
    else:
        text = f"{int(seconds)}s"
    return f"in {text}" if ahead else text


def short(identity: object) -> str:
    """The first eight characters of an id; commands accept them."""
    return str(identity)[:8]


def chili(value: object) -> str:
    """A chili score of 0 to 5 as a number; a dash before the analysis."""
    return "-" if value is None else f"{float(str(value)):g}"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    return str(value)
