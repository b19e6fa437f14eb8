"""What the AI step takes and gives, the same for every provider."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

from zeke_jobs import Reject

Made = TypeVar("Made")
AnalysisState = Literal["extractive", "completed"]

HALF = 0.5  # the share of its price that a question costs in a batch


@dataclass(frozen=True, slots=True)
class Story:
    """A story as the AI step sees it. Any text of it may be empty.

    Attributes:
        document: Its full text, as Markdown if that is known.
        description: Its page's own description.
        language: BCP 47 code such as ``en``, or None when unknown.
        authority: The source's authority, 0 to 1, or None when nobody set it.
        age_days: Days since it was published, or else found; never negative.
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
    """The origin of a text. It is stored with it.

    Attributes:
        provider: ``local`` or ``openai``.
        model: The model that answered, or the name and version of the local method.
        prompt: Id and version of the prompt, or None without a model.
        checked: How a model's statements were checked: ``by rule`` or ``verified``; None without a model.
    """

    provider: str
    model: str
    prompt: str | None = None
    checked: Literal["by rule", "verified"] | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim piece of the document: ``document[start:end] == text``."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Brief:
    """Three lengths of the same news; a part that the text cannot support is None."""

    one_liner: str | None
    two_liner: str | None
    elevator: str | None
    made_by: Provenance

    @property
    def parts(self) -> dict[str, str | None]:
        """The three lengths by name."""
        return {"one_liner": self.one_liner, "two_liner": self.two_liner, "elevator": self.elevator}


@dataclass(frozen=True, slots=True)
class Summary:
    """A short summary; None when the document has no whole sentence."""

    text: str | None
    made_by: Provenance


@dataclass(frozen=True, slots=True)
class Analysis:
    """Why a story matters.

    Attributes:
        why_it_matters: One to three sentences, or None when no sentence of the document gives a reason.
        chili: From 0 (nothing new) to 5 (drop everything).
        state: ``completed`` for a model's analysis, ``extractive`` for sentences taken from the story itself.
        made_by: Its origin.
        confidence: A model's own, 0 to 1; None for an extractive analysis, because a method has no opinion.
        citations: The pieces of the document that support it.
        breakdown: The parts of a computed chili; None for any other chili.
        brief: The story's brief, if the same answer has a good one; ``summary`` likewise.
    """

    why_it_matters: str | None
    chili: int
    state: AnalysisState
    made_by: Provenance
    confidence: float | None = None
    citations: tuple[Citation, ...] = ()
    breakdown: Mapping[str, Any] = field(default_factory=dict)
    brief: Brief | None = None
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """1536 numbers, and the version of the model that made them. Vectors of two versions are never compared."""

    vector: tuple[float, ...]
    model_version: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """A call that is about to be made.

    Attributes:
        operation: analyze, brief, summarize, verify or embed.
        prompt: Id and version of the prompt, None for embeddings.
        cost: The most that it can cost in US dollars, or None when nobody stated the model's price.
    """

    operation: str
    model: str
    prompt: str | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended.

    Attributes:
        outcome: ok, cached, rate_limited, refused, truncated, invalid, timeout or failed.
        detail: The reason for an outcome other than ok and cached.
        model: The model that answered.
        cost: In US dollars; None when unknown: then the highest possible cost counts as spent.
        is_charged: False when the provider did no work, so that the call is free.
        latency_ms: From the request to the end of the answer.
        rests: The model whose provider is to be left alone by all jobs, and for how many seconds.
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
    """A model said twice things that the story does not support: no part of the answer may be shown.

    Attributes:
        said: Its last answer.
        instead: The local provider's text for the story, labelled as such.
    """

    def __init__(self, reason: str, said: str = "", instead: Any = None) -> None:
        super().__init__(reason)
        self.said = said
        self.instead = instead


def answered(ask: Callable[[], Made]) -> tuple[Made, Unfounded | None]:
    """A provider's answer. If that is unfounded: the local provider's answer, and the exception to raise at the end."""
    try:
        return ask(), None
    except Unfounded as refused:
        return refused.instead, refused


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that began: an open row of the ledger, which ``settle`` closes.

    Attributes:
        id: The row.
        kept: The answer to an earlier equal call, or None.
        reply: The provider's reply in a batch; None if the question was not asked in one.
    """

    id: UUID
    kept: Any = None
    reply: Any = None


class Ledger(Protocol):
    """The book of a provider that costs money, of one job or a chunk's: it begins and settles calls, and remembers answers."""

    def begin(
        self,
        call: CallStart,
        key: str,
        question: Mapping[str, Any] | None = None,
        *,
        recalls: bool = True,
        may_wait: bool = False,
    ) -> Begun:
        """Open a call and reserve its highest possible cost; or find the answer to an equal call, of the same ``key``.

        Args:
            call: The call.
            key: Equal questions have equal keys.
            question: If it is new, it goes into the next batch.
            recalls: Whether a kept answer is wanted.
            may_wait: Whether this job may have put the question to a batch, or may do so now.

        Raises:
            Defer: the model rests.
            WaitFor: a batch has not brought the reply yet.
        """

    def settle(self, call_id: UUID, end: CallEnd, keep: tuple[str, Any] | None = None) -> None:
        """Close a call, once, with its real cost. ``keep``: a key, and the answer for later equal calls."""

    def begin_all(self, calls: Mapping[int, tuple[CallStart, str]], *, recalls: bool) -> dict[int, Begun]:
        """Begin calls of one model with their keys, all at once: one for each of these jobs, which go by their places."""

    def settle_all(self, ends: Mapping[int, tuple[UUID, CallEnd, tuple[str, Any] | None]]) -> None:
        """Close calls of jobs, all at once."""
