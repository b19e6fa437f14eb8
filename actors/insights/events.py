"""Finds the stories of an analysed story's event, puts them into a cluster, and scores them by its source count."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import pairwise
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json
from pydantic import BaseModel, Field

from actors import alerts
from actors.ai.gate.evidence import script, tokens
from actors.ai.local import Analyst, lead
from actors.ai.protocol import Embedding
from actors.ai.words import SMALL, content_words, is_unspaced
from actors.calendar_names import CALENDAR
from actors.insights import interests, relevance
from actors.insights.interests import Interests
from actors.store import SQL, clusters, embeddings, overlays, texts
from actors.store.embeddings import Written
from actors.store.overlays import Overlay
from actors.store.texts import StoryText
from zeke_jobs import Context
from zeke_jobs.errors import InvalidPayload

# A story is compared with candidates in batches, the likeliest first, until a batch has no story of the story's event.
# Among 100,000 stories, batches of 16 missed 0.7 % of the pairs, and batches of 32 missed none.
_BATCH = 32
_NEWEST = 256  # maximum number of stories read for each term; among 100,000 stories, 64 missed 2.7 % of the pairs
_MOST = 256
_FEW = 16  # a story with fewer terms needs one shared term; others need two, because one may be shared by chance

# A row applies to models whose version begins with the row's text. The first number is the minimum cosine of stories of
# one event, chosen on half of the headlines that people rated. The second number is added to it if both texts mention
# names, but none in common. The set has the writing systems that the model knows; an empty set means all.
_MODELS: list[tuple[str, float, float, frozenset[str]]] = [
    ("hashed-words", 0.6, 0.1, frozenset()),
    ("wordllama", 0.8, 0.0, frozenset({"LATIN", ""})),
    ("", 0.75, 0.0, frozenset()),  # at .75, all-MiniLM-L6-v2 has a precision of .80, and of .68 at .6
]
SIZE = 40  # number of terms of a story
_PLAUSIBLE = 0.4  # share of the least cosine that a story needs before a model is asked about it
_MOST_ASKED = 5
_GROUP = 4


class EventSettings(BaseModel, frozen=True, extra="forbid"):
    """Defines the settings of analyze-story: when two stories report one event, and what interests each team."""

    same_event_cosine: float | None = Field(default=None, gt=0, le=1)  # the least cosine; None: the model's default
    same_event_hours: float = Field(default=72, ge=0, le=8760)  # the longest time between two stories of one event
    interests: Interests = Field(default_factory=Interests)


def of_model(model_version: str) -> tuple[float, float, frozenset[str]]:
    """Return the minimum cosine, what is added to it, and the writing systems, from a model's row in ``_MODELS``."""
    return next((least, doubt, scripts) for model, least, doubt, scripts in _MODELS if model_version.startswith(model))


def sketch(text: str) -> list[int]:
    """Return at most 40 terms of a text as 63-bit hashes. This is a bottom-k sketch: similar texts share many terms.

    A term is a pair of adjacent words (stop words are skipped), or four letters of a script without spaces. In a short
    text, single words are terms too.
    """
    words = content_words(text)
    groups = {
        word[at : at + _GROUP] for word in words if is_unspaced(word) for at in range(max(1, len(word) - _GROUP + 1))
    }
    pairs = {f"{first} {second}" for first, second in pairwise(words)}
    kept = _least(pairs | groups, SIZE)
    return kept if len(kept) == SIZE else [*kept, *_least(set(words), SIZE - len(kept))]


def _least(terms: set[str], most: int) -> list[int]:
    hashes = {blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest() for term in terms}
    return [int.from_bytes(one, "big") >> 1 for one in sorted(hashes)[:most]]


def names(text: str) -> list[int]:
    """Return hashes of at most 40 names and numbers in a text. The names keep their capitals, unlike in ``sketch``.

    A name is a word that the text always capitalises, except months and weekdays. A text without such words, for
    example in a script without capitals, has no names.
    """
    written = tokens(text)
    common = {*SMALL, *CALENDAR, *(word for word in written if word[0].islower())}
    named = (word for word in written if len(word) > 1 and (word[0].isupper() or word[0].isdigit()))
    found = {word.upper() for word in named if word.lower() not in common}
    return _least(found, SIZE) if any(word[0].isupper() for word in found) else []


def publish(tx: Connection, story_id: UUID, embedding: Written, terms: Sequence[int]) -> None:
    """Make a story findable. Commit before the search, so that of two stories analysed at once, one finds the other."""
    made = {"model_version": embedding.model_version, "vector": embedding.literal, "signs": embedding.signs}
    SQL.run(tx, "story_publish", story_id=story_id, terms=list(terms), **made)


def found(
    ctx: Context[Any], story: StoryText, made: Embedding, settings: EventSettings, analyst: Analyst
) -> tuple[list[UUID], list[UUID]]:
    """Store a story's embedding and terms (with a model, also names), and return the stories that ``like`` finds."""
    text, embedding = lead(story), embeddings.written(made.model_version, made.vector)
    terms = sketch(text) + (names(text) if analyst.same_event else [])
    with ctx.transaction() as tx:
        publish(tx, story.id, embedding, terms)
    return like(ctx.db, story, embedding, terms, settings)


def like(
    conn: Connection, text: StoryText, embedding: Written, terms: Sequence[int], settings: EventSettings
) -> tuple[list[UUID], list[UUID]]:
    """Return two lists: stories of the same event and, if there are none, at most five similar stories of other events.

    If a batch of candidates has stories of the event, later batches skip the other stories in these stories' clusters.
    """
    least, doubt, scripts = of_model(embedding.model_version)
    if scripts and script(lead(text)) not in scripts:  # to the model, all texts in such scripts would look alike
        return [], []
    if settings.same_event_cosine:
        least, doubt = settings.same_event_cosine, 0.0
    window = timedelta(hours=settings.same_event_hours)
    left = candidates(conn, text.id, terms, text.happened_at - window, text.happened_at + window)
    found: list[UUID] = []
    while left:
        events = {one["story_id"]: one["cluster_id"] or one["story_id"] for one in left[:_BATCH]}
        near = embeddings.near(conn, embedding, events, _PLAUSIBLE * least)
        doubtful = [story for story, cosine in near.items() if least <= cosine < least + doubt]
        strangers = _strangers(conn, text, doubtful) if doubtful else set()
        hits = [story for story, cosine in near.items() if cosine >= least and story not in strangers]
        if not hits:
            return found, [] if found else _nearest(near, events)
        found += hits
        joined = {events[story] for story in hits}
        left = [one for one in left[_BATCH:] if one["cluster_id"] not in joined]
    return found, []


def _strangers(conn: Connection, text: StoryText, stories: Sequence[UUID]) -> set[UUID]:
    """Return the stories that no longer exist, or share no name with ``text`` although both have names."""
    mine = set(names(lead(text)))
    theirs = {story: set(names(lead(other))) for story, other in texts.read_all(conn, stories).items()}
    return {one for one in stories if one not in theirs or (mine and theirs[one] and mine.isdisjoint(theirs[one]))}


def _nearest(near: Mapping[UUID, float], events: Mapping[UUID, UUID]) -> list[UUID]:
    """Return the nearest story of each event, at most five, the nearest first."""
    nearest: dict[UUID, UUID] = {}
    for story in sorted(near, key=lambda story: -near[story]):
        nearest.setdefault(events[story], story)
    return list(nearest.values())[:_MOST_ASKED]


def candidates(
    conn: Connection, story_id: UUID, terms: Sequence[int], since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Return other stories of a period that share terms with this story, each with its cluster, the most similar first."""
    least = 1 if len(terms) < _FEW else 2
    bounds = {"since": since, "until": until, "least": least, "newest": _NEWEST, "most": _MOST}
    return SQL.all(conn, "story_event_candidates", story_id=story_id, terms=list(terms), **bounds)


def ask_later(ctx: Context[Any], analyst: Analyst, story_id: UUID, others: Sequence[UUID]) -> None:
    """If a model is set, send a job to ask which of ``others`` reports the story's event. Call it in a transaction."""
    if others and analyst.same_event:
        told = {"story_id": str(story_id), "trigger": "alone", "others": list(map(str, others))}
        try:
            ctx.send("analyze-story", told)
        except InvalidPayload as error:  # the last worker to start has older code, which refuses this payload
            ctx.logger.warning("no model is asked for the event", reason=str(error))


def rescore(tx: Connection, found: Mapping[UUID, Overlay], analyst: Analyst, sources: int) -> int:
    """Update a locked event's scores for ``sources`` sources, except models' and people's. Returns how many changed."""
    changed = 0
    for story_id, overlay in found.items():
        citations = overlay.citations
        score = analyst.rescore(citations.get("chili"), citations.get("breakdown") or {}, sources)
        if score is not None:
            cited = Json({"chili": score[0], "breakdown": dict(score[1])})
            changed += SQL.run(tx, "overlay_cite", story_id=story_id, citations=cited)
    return changed


def join(
    ctx: Context[Any],
    tx: Connection,
    story: StoryText,
    found: Sequence[UUID],
    analyst: Analyst,
    teams: Interests | None,
) -> int:
    """Put a story and the ``found`` stories of its event into one cluster, and score the cluster's stories again.

    If ``teams`` is given, also score the story for each team. Returns the number of stories with a new score, at
    least 1 if a team's score is new.
    """
    clusters.unite(tx, [story.id, *found])  # this also locks the event against other changes and scoring
    scored, sources = overlays.of_event(tx, story.id)
    changed = rescore(tx, scored, analyst, sources)
    if is_shifted := teams is not None and interests.apply(tx, story, teams):
        relevance.score(tx, story.id, ctx.settings_of("score-relevance"))
    alerts.raise_for(ctx, tx, story.id)
    return max(changed, int(is_shifted))
