"""Defines the payloads of the tasks. The module imports little, so that a web API that sends jobs can import it."""

from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from zeke_jobs import Payload

MAX_BATCH = 20
"""The maximum number of raw items in one fetch-content job."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4096)]


class IngestPull(Payload):
    """ingest-pull: send ingest-source for every feed that is due (``manual``: for every active feed)."""

    reason: Literal["schedule", "manual"] = "schedule"


class IngestPullYoutube(IngestPull):
    """ingest-pull-youtube: do the same as ingest-pull, for YouTube channels."""


class IngestOneoff(Payload):
    """ingest-oneoff: add the page at ``url``, and queue it for a fetch."""

    url: Url
    requested_by: str | None = None
    priority: Literal["normal", "high"] = "normal"


class IngestSource(Payload):
    """ingest-source: read a feed, and queue new items and at most ``backfill`` older ones that were left out so far."""

    source_id: UUID
    reason: Literal["schedule", "manual", "retry"] = "schedule"
    backfill: int = Field(default=0, ge=0, le=10_000)


class UploadItem(Payload):
    """One uploaded article: its text, or the address to fetch it from."""

    external_id: Text
    url: Url | None = None
    title: str | None = None
    text: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class IngestFromUpload(Payload):
    """ingest-from-upload: add uploaded items. First store a large upload with ``actors.store.uploads.save``."""

    # ``send`` checks a payload only against the JSON Schema, so this schema repeats the check of the validator below.
    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["items"]}, {"required": ["upload_id"]}]})

    source_id: UUID
    items: list[UploadItem] = Field(default_factory=list)
    upload_id: UUID | None = None
    uploaded_by: str | None = None

    @model_validator(mode="after")
    def _items_or_reference(self) -> Self:
        if bool(self.items) == (self.upload_id is not None):
            raise ValueError("expected either items or uploadId, got both or neither")
        return self


class FetchContent(Payload):
    """fetch-content: get the full text of up to twenty raw items and make stories of them."""

    raw_item_ids: list[UUID] = Field(min_length=1, max_length=MAX_BATCH)


class AnalyzeStory(Payload):
    """analyze-story: say why a story matters or, for the trigger ``grown``, update its score for a new source count.

    For the trigger ``alone`` (no event was found), ask a model whether one of the ``others`` reports the same event.
    """

    story_id: UUID
    trigger: Literal["auto", "manual", "retry", "grown", "alone"] = "auto"
    others: list[UUID] = Field(default_factory=list, max_length=5)


class EmbedStory(Payload):
    """embed-story: make a story's embedding, and find its event."""

    story_id: UUID


class BatchQuestions(Payload):
    """batch-questions: put a question into the next batch."""

    call_id: UUID


class AskBatch(Payload):
    """ask-batch: send the questions of these calls to the provider in one batch, and give waiting jobs the answers."""

    call_ids: list[UUID] = Field(min_length=1)


class PollBatches(Payload):
    """poll-batches: ask the provider which batches have ended."""


class GenerateBrief(Payload):
    """generate-brief: sum up a story in three lengths. If ``period`` is given, write a digest as DeliverDigest does."""

    story_id: UUID | None = None
    reason: Literal["new_story", "manual", "regenerate"] = "new_story"
    period: Literal["day", "week"] | None = None
    ends_on: date | None = None
    team_id: UUID | None = None

    @model_validator(mode="after")
    def _story_or_period(self) -> Self:
        if (self.story_id is None) == (self.period is None):
            raise ValueError("expected either storyId or period, got both or neither")
        return self


class DeliverDigest(Payload):
    """deliver-digest: write the digest of a day or week, and deliver it to the receivers in the settings.

    The digest covers the period that ends on ``ends_on`` (UTC, by default yesterday), for a team or for all teams.
    """

    period: Literal["day", "week"] = "day"
    ends_on: date | None = None
    team_id: UUID | None = None


class DeliverAlert(Payload):
    """deliver-alert: send the stories that alerts found to a receiver of the settings, at most 50 a message."""

    receiver: str = Field(min_length=1, max_length=100)


class ExtractHighlights(Payload):
    """extract-highlights: find quotes, figures, code and changes in a story."""

    story_id: UUID
    user_id: str = "system"
    team_id: UUID | None = None


class ScoreRelevance(Payload):
    """score-relevance: score the relevance of a story's highlights, except those of people."""

    story_id: UUID


class Context(Payload):
    """The context of a highlight, as plain text.

    Attributes:
        headings: The nearest headings above the highlight, outermost first, unless they repeat the title.
        before: The sentence before the highlight, perhaps from the previous paragraph.
    """

    headings: list[str] = Field(default_factory=list)
    before: str | None = None


class Insight(Payload):
    """One candidate for a highlight, which dedupe-insights stores unless it is a duplicate."""

    title: str | None = None
    summary: Text
    quote: str | None = None
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)
    context: Context | None = None
    origin: Literal["user", "system"] = "system"


class DedupeInsights(Payload):
    """dedupe-insights: store the insights that the story does not have yet."""

    story_id: UUID
    team_id: UUID | None = None
    created_by: str
    insights: list[Insight]


class StorySummarize(Payload):
    """story-summarize: write ``stories.summary`` (``force``: ask again, and replace a text of unknown origin)."""

    story_id: UUID
    mode: Literal["auto", "force"] = "auto"


class StoriesUpdateStatus(Payload):
    """stories-update-status: mark a story unread, read or archived, for one team or all, or change a team's star."""

    # ``send`` checks a payload only against the JSON Schema, so this schema repeats the check of the validator below.
    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["state"]}, {"required": ["pinned", "team_id"]}]}
    )

    story_id: UUID
    team_id: UUID | None = None
    state: Literal["unread", "read", "archived"] | None = None
    pinned: bool | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.state is None and self.pinned is None:
            raise ValueError("expected state, pinned or both, got neither")
        if self.pinned is not None and self.team_id is None:
            raise ValueError("expected a teamId with pinned: a story is starred for one team")
        return self
