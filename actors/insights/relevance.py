"""Runs score-relevance, which computes a relevance score for each highlight of a story, and stores the score's parts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection
from pydantic import BaseModel, Field

from actors.ai.chili import DEFAULT_KEYWORDS, hits
from actors.insights.candidates import Kind
from actors.schema import ScoreRelevance
from actors.store import SQL, highlights, texts
from zeke_jobs import Context

_INTEREST = 0.2  # by so much a word of a team's interests raises or lowers a score for the team


class Weights(BaseModel, frozen=True, extra="forbid"):
    """Holds the weights of the parts of a relevance score."""

    keyword: float = Field(default=0.4, ge=0)
    kind: float = Field(default=0.3, ge=0)
    authority: float = Field(default=0.2, ge=0)
    freshness: float = Field(default=0.1, ge=0)


class RelevanceSettings(BaseModel, frozen=True, extra="forbid"):
    """Defines the settings of score-relevance. A score is the sum of ``weight * part``, with each part from 0 to 1."""

    keywords: tuple[str, ...] = DEFAULT_KEYWORDS  # searched as whole words in title, summary and quote
    enough_keywords: int = Field(default=5, ge=1)  # with this number of different keywords, their part is 1
    weights: Weights = Weights()
    kinds: dict[Kind, float] = {
        "code_change": 1.0,
        "api_change": 0.95,
        "metric": 0.9,
        "code_example": 0.85,
        "insight": 0.8,
        "action": 0.75,
        "quote": 0.6,
        "question": 0.5,
    }
    default_authority: float = Field(default=0.7, ge=0, le=1)  # of a source that nobody rated
    fresh_days: float = Field(default=60, gt=0)  # freshness is 1 - days / fresh_days
    least_freshness: float = Field(default=0.5, ge=0, le=1)  # at least this


def score_relevance(payload: ScoreRelevance, ctx: Context[RelevanceSettings]) -> dict[str, Any]:
    """Score the highlights that the pipeline made of a story. People's and withdrawn highlights have no score.

    Raises:
        Reject: the story does not exist.
    """
    with ctx.transaction() as tx:
        texts.hold(tx, payload.story_id)
        count, changed = score(tx, payload.story_id, ctx.settings)
        output: dict[str, Any] = {"highlights": count, "changed": changed}
        output["outcome"] = "scored" if changed else "unchanged" if count else "no_highlights"
        ctx.complete(output)
    return output


def score(tx: Connection, story_id: UUID, settings: Any) -> tuple[int, int]:
    """Score the highlights of a story, which the caller locked. Returns how many were scored, and how many changed."""
    rate = rating(tx, story_id, settings)
    some = [
        one for one in highlights.of_story(tx, story_id) if one.origin == "system" and not one.metadata.get("withdrawn")
    ]
    return len(some), highlights.score(tx, {one.id: rate(one) for one in some})


def rating(tx: Connection, story_id: UUID, settings: Any) -> Callable[[Any], dict[str, Any]]:
    """Return a function that scores a highlight of a locked story. Without RelevanceSettings, it uses the defaults."""
    known = settings if isinstance(settings, RelevanceSettings) else RelevanceSettings()
    facts = SQL.only(tx, "story_relevance", story_id=story_id)
    return lambda one: relevance(one, facts["authority"], facts["age_days"], known, facts["teams"] or ())


def relevance(
    highlight: Any,
    authority: float | None,
    age_days: float,
    settings: RelevanceSettings,
    teams: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return a highlight's score (0 to 1 with default weights) and its parts, in the form of ``metadata.relevance``."""
    words = "\n".join(part for part in (highlight.title, highlight.summary, highlight.quote) if part)
    found = hits(words, settings.keywords)
    parts = {
        "keyword": min(1.0, len(found) / settings.enough_keywords),
        "kind": settings.kinds.get(highlight.kind, min(settings.kinds.values(), default=0.0)),
        "authority": settings.default_authority if authority is None else authority,
        "freshness": max(settings.least_freshness, 1 - age_days / settings.fresh_days),
    }
    weights = settings.weights.model_dump()
    score = sum(weights[name] * part for name, part in parts.items())
    by_team = {}
    for team in teams:
        more, less = (hits(words, team["parts"].get(name, ())) for name in ("more", "less"))
        if more or less:
            moved = score + _INTEREST * (bool(more) - bool(less))
            by_team[str(team["team_id"])] = {"score": round(min(1.0, max(0.0, moved)), 4), "more": more, "less": less}
    return {
        "score": round(score, 4),
        **({"teams": by_team} if by_team else {}),
        "parts": {name: round(part, 4) for name, part in parts.items()},
        "weights": weights,
        "keywords": found,
    }
