"""Applies teams' interests (words and example stories) to chili scores (how hot stories are) and to highlights."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json
from pydantic import BaseModel, Field

from actors.ai.chili import hits
from actors.store import SQL
from actors.store.news import NOBODY
from actors.store.texts import StoryText

_Example = Annotated[int, Field(ge=1)] | UUID


class Interest(BaseModel, frozen=True, extra="forbid"):
    """Describes the interests of one team. Words are searched as whole words, ignoring case."""

    more: tuple[str, ...] = ()  # words that raise a story's chili
    less: tuple[str, ...] = ()  # words that lower it
    like: tuple[_Example, ...] = ()  # example stories, by number or id, that raise similar stories
    unlike: tuple[_Example, ...] = ()  # examples that lower similar stories


class Interests(BaseModel, frozen=True, extra="forbid"):
    """Holds the interests of teams. The words, and the examples, can each change a chili score by up to ``points``."""

    teams: dict[UUID | Literal["all"], Interest] = Field(default_factory=dict)  # all: for teams not listed
    points: float = Field(default=1, gt=0, le=5)  # for enough different words, or for a story that resembles an example
    enough: int = Field(default=2, ge=1)  # fewer words change the score less
    resembles: float = Field(default=0.35, gt=0, le=1)  # the least cosine of a story that resembles an example


def apply(tx: Connection, text: StoryText, interests: Interests) -> bool:
    """Store how far each team's interests raise or lower a story's chili score. Returns whether anything changed."""
    said = f"{text.title}\n{text.document}"
    scores = []
    for team, interest in interests.teams.items():
        named = examples(interest)
        near = SQL.all(tx, "example_cosines", story_id=text.id, **named) if any(named.values()) else []
        shift, parts = score(interest, interests, said, near)
        scores.append({"team_id": str(NOBODY if team == "all" else team), "shift": shift, "parts": parts})
    return SQL.run(tx, "team_scores_put", story_id=text.id, scores=Json(scores)) > 0


def examples(interest: Interest) -> dict[str, list[Any]]:
    """Return the ids of those example stories that are given by id, and the numbers of the others."""
    every = [*interest.like, *interest.unlike]
    return {
        "ids": [one for one in every if isinstance(one, UUID)],
        "numbers": [one for one in every if isinstance(one, int)],
    }


def score(
    interest: Interest, settings: Interests, said: str, near: Sequence[Mapping[str, Any]]
) -> tuple[float, dict[str, Any]]:
    """Return the points by which interests change a chili score, and why: the words found, and the nearest examples."""
    more, less = hits(said, interest.more), hits(said, interest.less)
    like = _nearest(near, interest.like, settings.resembles)
    unlike = _nearest(near, interest.unlike, settings.resembles)
    up = min(1.0, len(more) / settings.enough) + (like is not None)
    down = min(1.0, len(less) / settings.enough) + (unlike is not None)
    parts = {"more": more, "less": less, "like": like, "unlike": unlike}
    return round(settings.points * (up - down), 2), {name: part for name, part in parts.items() if part}


def _nearest(near: Sequence[Mapping[str, Any]], examples: Sequence[int | UUID], least: float) -> dict[str, Any] | None:
    named = {str(one) for one in examples}
    mine = [one for one in near if named & {str(one["story_id"]), str(one["number"])} and one["cosine"] is not None]
    best = max(mine, key=lambda one: float(one["cosine"]), default=None)
    if best is None or best["cosine"] < least:
        return None
    return {"number": best["number"], "title": best["title"], "cosine": round(float(best["cosine"]), 2)}
