"""Runs ``zeke-news search``, which ranks stories by their words or by their meaning."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from psycopg2.extensions import connection as Connection

from actors.ai.protocol import Story
from actors.cli.engine import CannotRead, in_force, service
from actors.cli.output import Json, console, database, end_in_json, tell
from actors.cli.stories import print_story
from actors.store import SQL, embeddings, news
from actors.store.ai_calls import Asker, Ledger
from actors.store.news import NotFound
from zeke_jobs.cli.options import argument, moment, option
from zeke_jobs.cli.run import UsageError
from zeke_jobs.core.wording import parse_duration
from zeke_jobs.errors import Defer, Reject, Retry

_PART = re.compile(r'(?:^|\s)(source|since):("[^"]*"|\S*)')
_NO_PHRASE = ("source:", "since:", "-")
_SIGNS = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED = re.compile(f'"[^"]*"|([{_SIGNS}]{{2,}})')


@dataclass(frozen=True)
class Query:
    """Describes a search. ``words`` is input for ``websearch_to_tsquery``; ``sources`` has parts of source names."""

    words: str
    sources: tuple[str, ...] = ()
    since: datetime | None = None


def search(
    query: Annotated[
        list[str] | None,
        argument('Words; "a phrase"; or; -not; source:NAME; since:7d or since:2026-11-25.', "QUERY..."),
    ] = None,
    like: Annotated[str | None, option("List instead the stories most similar to this one.", "STORY")] = None,
    meaning: Annotated[str | None, option("List instead the stories most similar to this text.", "TEXT")] = None,
    limit: Annotated[int, option("Largest number of stories.", "N", min=1, max=200)] = 20,
    is_json: Json = False,
) -> None:
    """List stories with these words in title or text, the best first.

    With --like or --meaning, list the stories with the most similar embeddings. A query is then an optional filter.
    """
    if options := [word for word in query or () if word.startswith("--")]:
        raise typer.BadParameter(f"no such option: {options[0]}")
    wanted = parse(query or [], datetime.now(UTC))
    if like and meaning:
        raise UsageError("expected --like or --meaning, got both")
    if not (like or meaning or wanted.words) and (wanted.sources or wanted.since or not query):
        lists = "zeke-news stories --source and --since list stories"
        expected = f"expected words in addition to source: and since:, got none; {lists}"
        raise typer.BadParameter(expected, param_hint="QUERY")
    with database() as conn:
        found = [(part, news.sources_like(conn, part) or []) for part in wanted.sources]
        if missing := [part for part, like in found if not like]:
            expected = f"expected a part of a source's name or address, got {missing[0]!r}; see zeke-news sources"
            raise NotFound(expected)
        sources = [one for _, like in found for one in like] if found else None
        asked: dict[str, Any] = {"words": wanted.words, "sources": sources, "since": wanted.since}
        if like or meaning:
            rows, told = _by_meaning(conn, like, meaning or "", **asked, limit=limit)
        else:
            rows = news.search(conn, **asked, limit=limit)
            told = "" if rows else "no story has all these words; with `or` between them one is enough"
            if rows and rows[0]["compared"] >= news.RANKED:
                told = (
                    f"ranked among the newest {news.RANKED:,} that have these words; since: and source: narrow it down"
                )
    end_in_json(rows, is_json=is_json)
    for row in rows:
        near = f"{row['cosine']:.2f} alike. {row['one_liner'] or ''}" if "cosine" in row else ""
        print_story(console(), row, near or " ".join(row["excerpt"].split()))
    if told:
        tell(told)


def _by_meaning(conn: Connection, like: str | None, meaning: str, **asked: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the stories nearest to a story or text, and a sentence that says how the stories were compared."""
    if asked["words"]:
        news.check_words(conn, asked["words"])
    story = news.find_story(conn, like) if like else None
    known = SQL.one(conn, "embedding_get", story_id=story) if story else None
    if story is not None and known is None:
        raise NotFound(f"expected a story with an embedding, got {like!r}: analyze-story makes it")
    near = embeddings.written(known["model_version"], known["vector"]) if known else _of_text(conn, meaning)
    rows, is_mixed = embeddings.alike(conn, near, **asked, other_than=story)
    told = f"compared by {near.model_version}"
    told += "; stories with an embedding of another model were not" if is_mixed else ""
    return rows, told if rows else f"no story is near to it; {told}"


def _of_text(conn: Connection, text: str) -> embeddings.Written:
    """Return the embedding that ``services.ai`` makes of a text. The cost is recorded for the task ``search``."""
    try:
        analyst = service(in_force(conn), "ai").open()
        made = analyst.embed(Story(UUID(int=0), text, ""), Ledger(conn, "search", [Asker(uuid4(), None)]))
    except (Retry, Defer, Reject) as error:
        raise CannotRead(f"the text has no embedding: {error}") from error
    return embeddings.written(made.model_version, made.vector)


def parse(arguments: list[str], now: datetime) -> Query:
    """Parse a search. Among several arguments, each with a space is a phrase, because the shell removed its quotes."""
    spaced = (each for each in arguments if " " in each and '"' not in each and not each.startswith(_NO_PHRASE))
    phrases = set(spaced) if len(arguments) > 1 else set()
    text = " ".join(f'"{each}"' if each in phrases else each for each in arguments)
    parts = _PART.findall(text)
    moments = [_moment(value.strip('"'), now) for name, value in parts if name == "since"]
    words = _UNSPACED.sub(lambda match: f'"{match[1]}"' if match[1] else match[0], _PART.sub(" ", text))
    sources = tuple(value.strip('"') for name, value in parts if name == "source")
    return Query(words.strip(), sources, max(moments, default=None))


def _moment(text: str, now: datetime) -> datetime:
    with suppress(UsageError):
        return moment(text)
    try:
        return now - parse_duration(text)
    except ValueError as error:
        expected = f"expected since: with a length such as 7d or a day such as {now.date()}, got {text!r}"
        raise typer.BadParameter(expected, param_hint="QUERY") from error
