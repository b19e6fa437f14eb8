"""``zeke-news search``: full text, ranked; or by meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import typer

from actors.ai.protocol import Story
from actors.cli.engine import CannotRead, in_force, service
from actors.cli.output import Json, console, database, in_json
from actors.cli.stories import print_story
from actors.store import embeddings, news
from actors.store.ai_calls import PostgresLedger
from actors.store.news import NotFound
from zeke_jobs.cli.options import option
from zeke_jobs.cli.run import UsageError
from zeke_jobs.core.durations import parse_duration
from zeke_jobs.errors import Defer, Reject, Retry

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_PART = re.compile(r'(?:^|\s)(source|since):("[^"]*"|\S*)')
_NO_PHRASE = ("source:", "since:", "-")
_SIGNS = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED = re.compile(f'"[^"]*"|([{_SIGNS}]{{2,}})')
RANKED = 2000
"""Matches that are ranked, the newest."""


@dataclass(frozen=True)
class Query:
    """A search: ``words`` for ``websearch_to_tsquery``, parts of sources' names, and how far back."""

    words: str
    sources: tuple[str, ...] = ()
    since: datetime | None = None


def search(
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY...", help='Words; "a phrase"; or; -not; source:NAME; since:7d or since:2026-11-25.'
        ),
    ] = None,
    like: Annotated[str | None, option("Instead, those nearest to this story in meaning.", "STORY")] = None,
    meaning: Annotated[str | None, option("Instead, those nearest to this text in meaning.", "TEXT")] = None,
    limit: Annotated[int, option("Largest number of stories.", "N", min=1, max=200)] = 20,
    is_json: Json = False,
) -> None:
    """Stories with these words in title or text, each read in its own language, the best first.

    With --like or --meaning the nearest first, by the embeddings; a query is then not needed, and leaves out the rest.
    """
    if options := [word for word in query or () if word.startswith("--")]:
        raise typer.BadParameter(f"no such option: {options[0]}")
    wanted = parse(query or [], datetime.now(UTC))
    if like and meaning:
        raise UsageError("expected --like or --meaning, got both")
    if like or meaning:
        _by_meaning(like, meaning or "", wanted, limit=limit, is_json=is_json)
        return
    if not wanted.words and (wanted.sources or wanted.since or not query):
        raise typer.BadParameter(
            "expected words beside source: and since:, got none; zeke-news stories --source and --since list stories",
            param_hint="QUERY",
        )
    with database() as conn:
        rows = news.search(
            conn, wanted.words, sources=_sources(conn, wanted), since=wanted.since, limit=limit, ranked=RANKED
        )
    if in_json(rows, is_json=is_json):
        return
    if not rows:
        console().print("no story has all these words; with `or` between them one is enough", soft_wrap=True)
        return
    out = console()
    for row in rows:
        print_story(out, row, " ".join(row["excerpt"].split()))
    if rows[0]["compared"] >= RANKED:
        out.print(f"ranked among the newest {RANKED:,} that have these words; since: and source: narrow it down")


def _by_meaning(like: str | None, meaning: str, wanted: Query, *, limit: int, is_json: bool) -> None:
    """Print the stories nearest to the story ``like``, else to a text, of those that fit the query."""
    with database() as conn:
        if wanted.words:
            news.check_words(conn, wanted.words)
        story = news.find_story(conn, like) if like else None
        near = _of_text(conn, meaning) if story is None else embeddings.of_story(conn, story)
        if near is None:
            raise NotFound(f"expected a story with an embedding, got {like!r}: analyze-story makes it")
        query: dict[str, Any] = {"words": wanted.words, "sources": _sources(conn, wanted), "since": wanted.since}
        rows, is_mixed = embeddings.alike(conn, near, **query, other_than=story, limit=limit)
    if in_json(rows, is_json=is_json):
        return
    out = console()
    for row in rows:
        print_story(out, row, f"{row['cosine']:.2f} alike. {row['one_liner'] or ''}")
    told = f"compared by {near.model_version}"
    told += "; stories with an embedding of another model were not" if is_mixed else ""
    out.print(told if rows else f"no story is near to it; {told}", soft_wrap=True, markup=False)


def _of_text(conn: Connection, text: str) -> embeddings.Written:
    """The embedding of a text by ``services.ai``; ``zeke-news costs`` has its cost, as of the task search.

    Raises:
        CannotRead: it has none.
    """
    try:
        made = (
            service(in_force(conn), "ai")
            .open()
            .embed(Story(UUID(int=0), text, ""), PostgresLedger(conn, uuid4(), "search", None))
        )
    except (Retry, Defer, Reject) as error:
        raise CannotRead(f"the text has no embedding: {error}") from error
    return embeddings.written(made.model_version, made.vector)


def parse(arguments: list[str], now: datetime) -> Query:
    """Read the arguments. If there are several, one with a space is a phrase, because the shell removed its quotes.

    Raises:
        typer.BadParameter: a ``since:`` is neither a duration nor a day.
    """
    several = len(arguments) > 1
    phrases = {
        each for each in arguments if several and " " in each and '"' not in each and not each.startswith(_NO_PHRASE)
    }
    text = " ".join(f'"{each}"' if each in phrases else each for each in arguments)
    parts = _PART.findall(text)
    moments = [_moment(value.strip('"'), now) for name, value in parts if name == "since"]
    words = _UNSPACED.sub(lambda match: f'"{match[1]}"' if match[1] else match[0], _PART.sub(" ", text))
    return Query(
        words=words.strip(),
        sources=tuple(value.strip('"') for name, value in parts if name == "source"),
        since=max(moments, default=None),
    )


def _moment(text: str, now: datetime) -> datetime:
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - parse_duration(text)
        except ValueError as error:
            expected = f"expected since: with a length such as 7d or a day such as {now.date()}, got {text!r}"
            raise typer.BadParameter(expected, param_hint="QUERY") from error
    return day if day.tzinfo else day.replace(tzinfo=UTC)


def _sources(conn: Connection, wanted: Query) -> list[UUID] | None:
    """The sources whose names contain one of the parts.

    Raises:
        NotFound: no source contains a part.
    """
    if not wanted.sources:
        return None
    found = {part: news.sources_like(conn, part) for part in wanted.sources}
    if missing := [part for part, sources in found.items() if not sources]:
        raise NotFound(f"expected a part of a source's name or address, got {missing[0]!r}; see zeke-news sources")
    return [one for sources in found.values() for one in sources]
