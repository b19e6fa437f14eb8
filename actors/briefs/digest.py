"""Writes the top events of a day or week in two sentences each, grouped by topic (similar headlines and embeddings)."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.ai.hashing import MODEL_VERSION
from actors.ai.sentences import is_whole, sentences
from actors.ai.words import SMALL, terms, words
from actors.schema import DeliverDigest, GenerateBrief
from actors.store import SQL, by_index

_DAYS = {"day": 1, "week": 7}
_ALIKE = {MODEL_VERSION: 0.22}
_ANY_MODEL = 0.3
"""The lowest cosines at which two stories with a common headline word count as one topic; tuned on 85 stories of one day."""
_GENERAL = frozenset(["new", "news", "day", "week", "year", "world", "today", "latest", "live", "update", "updates"])
_AROUND = re.compile(r"^\W+|[^\w+#]+$")
_NAMED = 3  # maximum number of words in a topic's name
_NEW = 2  # minimum number of words in the second sentence that the first does not have


def write_digest(
    tx: Connection, payload: GenerateBrief | DeliverDigest, limit: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Store the digest of a period, by default one that ends yesterday (UTC). Returns its key and the job's output."""
    assert payload.period is not None
    ends_on = payload.ends_on or SQL.value(tx, "digest_today") - timedelta(days=1)
    since = ends_on - timedelta(days=_DAYS[payload.period] - 1)
    edition = {"period": payload.period, "ends_on": ends_on, "team_id": payload.team_id}
    entries = arrange(tx, top(tx, since=since, until=ends_on, team_id=payload.team_id, limit=limit))
    changed = SQL.one(tx, "digest_save", **edition, entries=Json(entries)) is not None
    outcome = ("written" if changed else "unchanged") if entries else "no_stories"
    told = {"period": payload.period, "ends_on": ends_on.isoformat(), "entries": len(entries)}
    return edition, {"outcome": outcome, **told}


def top(conn: Connection, *, since: date, until: date, team_id: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return the leading stories of the events published from ``since`` to ``until`` (both included, UTC), best first.

    A team gets only stories of sources that the team follows, and no story that the team archived.
    """
    with by_index(conn):
        rows = SQL.all(conn, "digest_entries", since=since, until=until, team_id=team_id, limit=limit)
    numbers = ("chili", "relevance")
    return [{**row, "story_id": str(row["story_id"]), **{name: float(row[name]) for name in numbers}} for row in rows]


def arrange(conn: Connection, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries with the new fields ``topic`` and ``said``.

    ``topic`` is None if no other entry has it. ``said`` has up to two sentences of the brief, ``why`` or highlights.
    """
    near = {
        frozenset((str(row["one"]), str(row["other"]))): row["cosine"]
        for row in SQL.all(conn, "digest_pairs", stories=[entry["story_id"] for entry in entries])
        if row["cosine"] is not None and row["cosine"] >= _ALIKE.get(row["model_version"], _ANY_MODEL)
    }
    topics: list[tuple[list[str], set[str]]] = []  # the stories, and the words that their headlines have in common
    for entry in entries:
        mine, story = _words(entry["title"]), entry["story_id"]
        alike = [
            (min(near.get(frozenset((story, one)), 0.0) for one in topic[0]), topic)
            for topic in topics
            if topic[1] & mine
        ]
        nearest, topic = max(alike, key=itemgetter(0), default=(0.0, None))
        if topic is not None and nearest > 0:
            topic[0].append(story)
            topic[1].intersection_update(mine)
        else:
            topics.append(([story], mine))
    titles = {entry["story_id"]: entry["title"] for entry in entries}
    named = {one: _name(titles[some[0]], common) for some, common in topics if len(some) > 1 for one in some}
    made = [{**entry, "topic": named.get(entry["story_id"]), "said": _said(entry)} for entry in entries]
    return [{name: value for name, value in entry.items() if name != "highlights"} for entry in made]


def _words(title: str | None) -> set[str]:
    """Return a headline's words that may name its topic: no stop words, general words, numbers or single letters."""
    return {
        word for word in words(title or "") if word not in SMALL | _GENERAL and not word.isnumeric() and len(word) > 1
    }


def _name(title: str, common: set[str]) -> str:
    """Return up to three words that all headlines of a topic have in common, spelled as in the first headline."""
    shown = {word: _AROUND.sub("", raw) for raw in reversed(title.split()) for word in words(raw)}
    known = dict.fromkeys(word for word in words(title) if word in common)
    return ", ".join(shown.get(word, word) for word in list(known)[:_NAMED])


def _said(entry: Mapping[str, Any]) -> list[str]:
    """Return an entry's first sentence, and the first later sentence that has enough new words."""
    said: list[str] = []
    told = [one.text for text in (entry["one_liner"], entry["why"]) for one in sentences(text or "")]
    told += [one.text for text in entry["highlights"] for one in sentences(text or "") if is_whole(one.text)]
    for sentence in (" ".join(text.split()) for text in told):
        if not said or len(set(terms(sentence)) - set(terms(" ".join(said)))) >= _NEW:
            said.append(sentence)
    return said[:2]
