"""Defines the input and output types of the AI step, which are equal for every provider."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

from zeke_jobs import Reject

Made = TypeVar("Made")

HALF = 0.5  # a question in a batch costs this share of its usual price


@dataclass(frozen=True, slots=True)
class Story:
    """Describes a story as the AI step sees it. Each of its texts may be empty.

    Attributes:
        document: The full text, as Markdown if that is known.
        description: The page's description of itself.
        language: A BCP 47 code such as ``en``.
        authority: The source's authority, 0 to 1, or None if nobody set it.
        age_days: Days since the publication, or else since the pipeline found the story, and at least 0.
    """

    id: UUID
    title: str
    document: str
    description: str = ""
    language: str | None = None
    source: str = ""
    authority: float | None = None
    age_days: float = 0.0


@dataclass(frozen=True, slots=True)
class Provenance:
    """Describes the origin of a text, which is stored with the text.

    Attributes:
        provider: ``local`` or ``openai``.
        model: The model that answered, or the name and version of the local method.
        prompt: The prompt's id and version, or None, like ``checked``, if no model wrote the text.
    """

    provider: str
    model: str
    prompt: str | None = None
    checked: Literal["by rule", "verified"] | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """Holds a story in three lengths. A part is None if the story's text does not give it."""

    one_liner: str | None
    two_liner: str | None
    elevator: str | None
    made_by: Provenance

    @property
    def parts(self) -> dict[str, str | None]:
        """Return the three lengths by name."""
        return {"one_liner": self.one_liner, "two_liner": self.two_liner, "elevator": self.elevator}


@dataclass(frozen=True, slots=True)
class Summary:
    """Holds a short summary. The summary's text is None if the document has no whole sentence."""

    text: str | None
    made_by: Provenance


@dataclass(frozen=True, slots=True)
class Analysis:
    """Says why a story matters.

    Attributes:
        chili: From 0 (nothing new) to 5 (drop everything).
        state: ``completed`` for a model's analysis, ``extractive`` for sentences taken from the story itself.
        confidence: The model's own confidence, 0 to 1.
        quotes: The starts and ends of quotations in the document that support the analysis.
        breakdown: The parts of a computed chili.
        brief: The story's brief, or None if the answer has no valid brief. ``summary`` is the summary, or None.
    """

    why_it_matters: str | None
    chili: int
    state: Literal["extractive", "completed"]
    made_by: Provenance
    confidence: float | None = None
    quotes: Sequence[tuple[int, int]] = ()
    breakdown: Mapping[str, Any] = field(default_factory=dict)
    brief: Brief | None = None
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """Holds 1536 numbers, and the version of the model that made them. Vectors of two versions are never compared."""

    vector: tuple[float, ...]
    model_version: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """Describes a call that is about to be made.

    Attributes:
        operation: analyze, brief, summarize, verify or embed.
        prompt: The prompt's id and version; None for embeddings.
        cost: The highest possible cost in US dollars; None if the model has no price.
    """

    operation: str
    model: str
    prompt: str | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class CallEnd:
    """Describes how a call ended.

    Attributes:
        outcome: ok, cached, rate_limited, refused, truncated, invalid, timeout or failed.
        detail: The reason for an outcome other than ok and cached.
        cost: The cost in US dollars. If the cost is None, the highest possible cost counts as spent.
        is_charged: False if the provider did no work, so that the call is free.
        rests: The model that no job may call, and for how many seconds.
    """

    outcome: str
    detail: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    is_charged: bool = True
    latency_ms: int | None = None
    rests: tuple[str, float] | None = None


class Unfounded(Reject):
    """A model twice made statements that the story does not support, so no part of its answer may be shown.

    Attributes:
        said: The model's last answer. ``instead`` is the local provider's text, labelled as such.
    """

    def __init__(self, reason: str, said: str = "", instead: Any = None) -> None:
        super().__init__(reason)
        self.said = said
        self.instead = instead


def answered(ask: Callable[[], Made]) -> tuple[Made, Unfounded | None]:
    """Return a provider's answer and None, or the local provider's answer and the exception to raise at the end."""
    try:
        return ask(), None
    except Unfounded as refused:
        return refused.instead, refused


@dataclass(frozen=True, slots=True)
class Begun:
    """Describes a call that began: an open row in the ledger, which ``settle`` closes.

    Attributes:
        kept: The answer to an earlier equal call, or None.
        reply: The provider's reply in a batch, or None.
    """

    id: UUID
    kept: Any = None
    reply: Any = None


class Ledger(Protocol):
    """Records paid calls of one job, or of the jobs of a chunk: it begins and settles calls, and stores answers."""

    def begin(
        self,
        call: CallStart,
        key: str,
        question: Mapping[str, Any] | None = None,
        *,
        recalls: bool = True,
        may_wait: bool = False,
    ) -> Begun:
        """Open a call and reserve its highest possible cost, or find the answer to an equal call of the same ``key``.

        A new ``question`` may go into the next batch. If ``recalls``, a stored answer may be used. If ``may_wait``, the
        question may wait for a batch, or is in a batch since an earlier attempt.

        Raises:
            Defer: calls of the model are paused.
            WaitFor: the batch with the question has not ended yet.
        """

    def settle(self, call_id: UUID, end: CallEnd, keep: tuple[str, Any] | None = None) -> None:
        """Close a call once, with its real cost. ``keep`` has a key, and the answer to store for later equal calls."""

    def begin_all(self, calls: Mapping[int, tuple[CallStart, str]], *, recalls: bool) -> dict[int, Begun]:
        """Begin calls of one model with their keys, all together: one call for each job, by the job's place in the chunk."""

    def settle_all(self, ends: Mapping[int, tuple[UUID, CallEnd, tuple[str, Any] | None]]) -> None:
        """Close the calls of several jobs, all together."""
