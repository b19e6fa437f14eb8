"""Queries what the commands show: lists of stories, one story in full, and the state of an article in the pipeline."""

import re
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.store import SQL, by_index
from zeke_jobs.errors import ZekeJobsError

Row = dict[str, Any]

_LEFT_OUT = {None: ["archived"], "unread": ["read", "archived"], "read": [], "archived": []}
"""The states that a list leaves out."""

RANKED = 2000
"""Maximum number of matches of a search that are ranked; if there are more, the newest ones are."""

_FEW = 5000
"""If at most this number of stories pass a filter by chili, their ids are read first; otherwise each story is tested."""

_HEXADECIMAL = re.compile(r"[0-9a-f]{1,32}")


class NotFound(ZekeJobsError):
    """No stored object has the given name, or several objects have it."""


NOBODY = UUID(int=0)
"""The team of a person who named no team; its marks and interests count for teams without their own."""


_ASKED: dict[str, Any] = {"limit": 30, "sources": None, "since": None, "min_chili": None, "analysis_state": None}
_ASKED |= {"leads": False, "team": NOBODY}


def stories(
    conn: Connection, *, state: Literal["unread", "read", "archived"] | None = None, starred: bool = False, **asked: Any
) -> list[Row]:
    """Return at most ``limit`` stories (30 by default), the newest first, with the ``state`` and star of ``team``.

    Other filters are ``sources`` (ids), ``since``, ``min_chili``, ``analysis_state`` and ``leads``. ``since`` is the
    earliest time of publication or, for an undated story, of discovery. With ``leads``, only the leading story of each
    cluster is returned. If ``state`` is None, archived stories are left out. A story without a stored state is unread.
    """
    asked = _ASKED | asked
    with by_index(conn):
        ids = _few(conn, asked["team"], state, starred=starred, least=asked["min_chili"])
        return SQL.all(conn, "news_stories", **asked, ids=ids, left_out=_LEFT_OUT[state])


def _few(conn: Connection, team: UUID, state: str | None, *, starred: bool, least: float | None) -> list[UUID] | None:
    """Return the ids of stories with this state, star or chili, or None if there is no such filter or too many pass."""
    if starred or state in {"read", "archived"}:
        marked = None if state == "unread" else state
        rows = SQL.all(conn, "news_marked", team=team, state=marked, starred=starred)
    elif least is not None:
        rows = SQL.all(conn, "news_hot", min_chili=least, most=_FEW + 1)
    else:
        return None
    ids = [row["story_id"] for row in rows]
    return None if len(ids) > _FEW and not starred and state is None else ids


def sources_like(conn: Connection, part: str | None) -> list[UUID] | None:
    """Return the sources whose name or address contains ``part``, or None if ``part`` is None."""
    return None if part is None else [row["id"] for row in SQL.all(conn, "news_sources_like", part=part)]


def search(conn: Connection, words: str, *, limit: int = 20, ranked: int = RANKED, **filters: Any) -> list[Row]:
    """Return stories with these words in title or text, the best first. ``websearch_to_tsquery`` reads ``words``.

    ``filters`` may have ``sources`` (ids) and ``since``. Only the newest ``ranked`` matches are ranked. Each story's
    ``compared`` is the number of matches that were ranked. Raises NotFound (see ``check_words``).
    """
    words = words.replace("\x00", " ")
    with by_index(conn):
        check_words(conn, words)
        asked = {"sources": None, "since": None, **filters, "limit": limit, "ranked": ranked}
        rows = SQL.all(conn, "news_search", words=words, **asked)
        return lines(conn, rows)


def lines(conn: Connection, found: Sequence[Row]) -> list[Row]:
    """Return the stories with the ids in the rows ``found``, in the same order. Each also has the fields of its row."""
    ids = [row["id"] for row in found]
    rows = SQL.all(conn, "news_stories", **_ASKED | {"limit": len(ids)}, ids=ids, left_out=[])
    known = {row["id"]: row for row in rows}
    return [{**known[row["id"]], **row} for row in found if row["id"] in known]


def check_words(conn: Connection, words: str) -> None:
    """Raise NotFound if ``words`` contains nothing to search for."""
    known = SQL.only(conn, "news_search_words", words=words)
    if known["has_stories"] and not known["has_words"]:
        raise NotFound(f"expected words to look for, got {words!r}, which has only words that are not searched")


def find_story(conn: Connection, name: str) -> UUID:
    """Return a story's id. ``name`` is the story's number or the beginning of its id. Raises NotFound."""
    text = name.strip().lower().removeprefix("#")
    found, digits = None, text.replace("-", "")
    if (not text.isdigit() or len(text) >= 8) and _HEXADECIMAL.fullmatch(digits):
        first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
        rows = SQL.all(conn, "news_find_story", first=first, last=last)
        like = [row for row in rows if str(row["id"]).startswith(text) or len(digits) == len(text)]
        found = _only(like, f"stories begin with {name!r}")
    if found is None and text.isascii() and text.isdigit() and len(text) < 19:
        found = _only(SQL.all(conn, "news_story_numbered", number=int(text)), f"stories are number {name}")
    if found is None:
        raise NotFound(f"expected the number or id of a story, got {name!r}; see zeke-news stories")
    return found


def find_source(conn: Connection, name: str) -> UUID:
    """Find a source by address, name or beginning of its id, or else by a part of name or address. Raises NotFound."""
    prefix = re.sub(r"([\\%_])", r"\\\1", name.lower())
    rows = SQL.all(conn, "news_find_source", prefix=prefix, name=name)
    if not rows and name.strip():
        rows = SQL.all(conn, "news_sources_like", part=name)
    found = _only(rows, f"sources answer to {name!r}")
    if found is None:
        raise NotFound(f"expected the id, address or name of a source, got {name!r}; see zeke-news sources")
    return found


def story(conn: Connection, story_id: UUID) -> Row | None:
    """Return one story in full, with ``highlights``, ``same_event`` (its cluster) and ``items`` (its origins)."""
    row = SQL.one(conn, "news_story", story_id=story_id)
    if row is None:
        return None
    highlights = SQL.all(conn, "highlights_of_story", story_id=story_id)
    row["highlights"] = [each for each in highlights if not each["metadata"].get("withdrawn")]
    event = {"cluster_id": row["cluster_id"], "story_id": story_id}
    row["same_event"] = SQL.all(conn, "news_cluster_members", **event) if row["cluster_id"] else []
    row["items"] = SQL.all(conn, "news_story_items", story_id=story_id)
    return row


def jobs_about(
    conn: Connection, *, ids: Sequence[str] = (), sources: Sequence[str] = (), urls: Sequence[str] = ()
) -> list[Row]:
    """Return the latest jobs about these stories, items, sources or addresses. Unfinished jobs come first."""
    return SQL.all(conn, "news_jobs_about", ids=list(ids), sources=list(sources), urls=list(urls), limit=20)


def _only(rows: list[Row], what: str) -> UUID | None:
    if len(rows) > 1:
        raise NotFound(f"expected one, got several: more than one of the {what}; give more of the id")
    return UUID(str(rows[0]["id"])) if rows else None
