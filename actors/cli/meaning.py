"""``zeke-news search --like`` and ``--meaning``: stories that are alike, by their embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from actors.ai.protocol import Story
from actors.cli.engine import CannotRead, in_force, open_analyst
from actors.cli.output import console, in_json
from actors.cli.stories import print_story
from actors.store import embeddings, news
from actors.store.ai_calls import PostgresLedger
from actors.store.news import NotFound
from zeke_jobs.errors import Defer, Reject, Retry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg2.extensions import connection as Connection


def search(
    conn: Connection,
    like: str | None,
    meaning: str,
    words: str,
    sources: Sequence[UUID] | None,
    since: datetime | None,
    *,
    limit: int,
    is_json: bool,
) -> None:
    """Print the stories nearest to the story ``like``, else to a text; with these words, of these sources, since then.

    Raises:
        NotFound: there is no such story, or it has no embedding; or ``words`` contains nothing to search for.
        CannotRead: the text has no embedding.
    """
    if words:
        news.check_words(conn, words)
    story = news.find_story(conn, like) if like else None
    near = _of_text(conn, meaning) if story is None else embeddings.of_story(conn, story)
    if near is None:
        raise NotFound(f"expected a story with an embedding, got {like!r}: analyze-story makes it")
    rows, compared, others = embeddings.alike(
        conn, near, words=words, sources=sources, since=since, other_than=story, limit=limit
    )
    if in_json(rows, is_json=is_json):
        return
    out = console()
    for row in rows:
        print_story(out, row, f"{row['cosine']:.2f} alike. {row['one_liner'] or ''}")
    told = f"compared {compared:,} stories by {near.model_version}"
    if others:
        told += f"; {others:,} with an embedding of another model were not compared"
    if compared + others >= embeddings.NEWEST:
        told += "; older ones neither: words, source: and since: narrow it down"
    out.print(told if rows else f"no story is near to it; {told}", soft_wrap=True, markup=False)


def _of_text(conn: Connection, text: str) -> embeddings.Written:
    """The embedding of a text by ``services.ai``; ``zeke-news costs`` has its cost, as of the task search."""
    try:
        made = open_analyst(in_force(conn)).embed(
            Story(UUID(int=0), text, ""), PostgresLedger(conn, uuid4(), "search", None)
        )
    except (Retry, Defer, Reject) as error:
        raise CannotRead(f"the text has no embedding: {error}") from error
    return embeddings.written(made.model_version, made.vector)
