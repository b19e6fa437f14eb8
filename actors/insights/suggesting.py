"""Proposes interests from the stories that a team starred, read or archived. Shows the effect on last week's scores."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.ai.words import SMALL, words
from actors.insights.interests import Interest, Interests, examples, score
from actors.store import SQL, by_index

_LEAD = 1000  # number of first characters of a story in which words are searched
_LEAST = 3  # minimum number of marked stories that have a proposed word, or resemble an example
_SHARE = 0.05  # minimum share of the marked stories that have a proposed word
_TIMES = 2.0  # a proposed word is at least this many times more frequent in marked stories than in others
_MOST = 4  # maximum number of proposals of each kind
_EXAMPLES = 20  # number of the newest marked stories that are tried as examples

Kind = Literal["more", "less", "like", "unlike"]


def propose(
    conn: Connection, team: UUID, interest: Interest, settings: Interests
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the strongest proposals of each kind, and the numbers of liked, archived and recent stories.

    A proposal has ``accept`` (its value for ``--accept``), the numbers of ``liked`` and ``archived`` stories that it
    fits, and ``moved``: last week's stories whose score it would change.
    """
    with by_index(conn):
        rows = SQL.all(conn, "interest_stories", team=team)
        liked = [row for row in rows if row["is_starred"] or row["state"] == "read"]
        archived = [row for row in rows if row["state"] == "archived" and not row["is_starred"]]
        starred = [row for row in liked if row["is_starred"]][:_EXAMPLES]
        named = examples(interest)
        named["numbers"] += [row["number"] for row in starred + archived[:_EXAMPLES]]
        near: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
        for pair in SQL.all(conn, "interest_cosines", **named, stories=[row["id"] for row in rows]):
            near[pair["to_id"]].append(pair)
    week = [row for row in rows if row["is_recent"]]
    others = [row for row in week if row["state"] == "unread" and not row["is_starred"]]
    new: list[tuple[Kind, str | int]] = [("more", word) for word in _telling(liked, archived + others)]
    new += [("less", word) for word in _telling(archived, liked + others)]
    new += [("like", row["number"]) for row in starred] + [("unlike", row["number"]) for row in archived[:_EXAMPLES]]
    made, shown = [], Counter[str]()
    for kind, value in new:
        if shown[kind] == _MOST or str(value).lower() in {str(one).lower() for one in getattr(interest, kind)}:
            continue
        alone = Interest.model_validate({kind: [value]})
        fits = [
            len([row for row in some if score(alone, settings, row["said"], near[row["id"]])[0]])
            for some in (liked, archived)
        ]
        mine, opposite = fits if kind in {"more", "like"} else fits[::-1]
        if mine < (_LEAST if isinstance(value, str) else _LEAST - 1) or mine <= opposite:  # an example counts itself
            continue
        shown[kind] += 1
        wider = interest.model_copy(update={kind: (*getattr(interest, kind), value)})
        moved = []
        for row in week:
            before, after = (score(one, settings, row["said"], near[row["id"]])[0] for one in (interest, wider))
            if after != before:
                moved.append({"number": row["number"], "title": row["title"], "by": after - before})
        made.append({"accept": f"{kind}:{value}", "liked": fits[0], "archived": fits[1], "moved": moved})
    return made, {"liked": len(liked), "archived": len(archived), "recent": len(week)}


def _telling(some: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the words much more frequent in ``some`` stories than in ``others``. Headline words rank higher."""
    here, there = (Counter(word for row in rows for word in _words(row["said"])) for rows in (some, others))
    rate = {word: (count / len(some)) / ((there[word] + 0.5) / (len(others) + 1)) for word, count in here.items()}
    fitting = [
        word for word, count in here.items() if count >= max(_LEAST, _SHARE * len(some)) and rate[word] >= _TIMES
    ]
    headlines = Counter(word for row in some for word in _words(row["title"] or ""))
    return sorted(fitting, key=lambda word: (-(here[word] + headlines[word]) * math.log(rate[word]), word))[: 2 * _MOST]


def _words(said: str) -> set[str]:
    return {word for word in words(said[:_LEAD]) if word not in SMALL and len(word) > 2 and not word.isnumeric()}
