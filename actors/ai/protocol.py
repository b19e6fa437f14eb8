"""Defines the input and output types of the AI step, which are the same for every provider."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from uuid import UUID

from zeke_jobs import Reject

Made = TypeVar("Made")

HALF = 0.5  # a question in a batch costs this share of its usual price


@dataclass(frozen=True, slots=True)
class Story:
    """Describes a story as the AI step sees it. The title, the document and the other texts may be empty."""

    id: UUID
    title: str
    document: str  # the full text, as Markdown if that is known
    description: str = ""  # the page's description of itself
    language: str | None = None  # a BCP 47 code such as en
    source: str = ""
    authority: float | None = None  # the source's authority, 0 to 1, or None if nobody set it
    age_days: float = 0.0  # days since the publication or the discovery, at least 0


@dataclass(frozen=True, slots=True)
class Provenance:
    """Describes how a text was made: the provider, the model or local method, and the version of the model's prompt."""

    provider: str
    model: str
    prompt: str | None = None
    checked: Literal["by rule", "verified"] | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """Holds a story in three lengths. A text is None if the story has too few suitable sentences for this length."""

    one_liner: str | None
    two_liner: str | None
    elevator: str | None
    made_by: Provenance

    @property
    def parts(self) -> dict[str, str | None]:
        """Return the brief's three texts by name."""
        return {"one_liner": self.one_liner, "two_liner": self.two_liner, "elevator": self.elevator}


@dataclass(frozen=True, slots=True)
class Summary:
    """Holds a short summary. The summary's text is None if the document has no whole sentence."""

    text: str | None
    made_by: Provenance


@dataclass(frozen=True, slots=True)
class Analysis:
    """Holds the analysis of a story, which says why the story matters."""

    why_it_matters: str | None
    chili: int  # from 0 (nothing new) to 5 (drop everything)
    state: Literal["extractive", "completed"]  # extractive: only sentences of the story
    made_by: Provenance
    confidence: float | None = None  # the model's own, 0 to 1
    quotes: Sequence[tuple[int, int]] = ()  # starts and ends of quotations in the document
    breakdown: Mapping[str, Any] = field(default_factory=dict)  # the parts of a computed chili
    brief: Brief | None = None  # None, like summary, if the answer has no valid one
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """Holds a vector of 1536 numbers and its model's version. Vectors of different versions are never compared."""

    vector: tuple[float, ...]
    model_version: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """Describes a call that is about to be made."""

    operation: str  # analyze, brief, summarize, verify, same_event or embed
    model: str
    prompt: str | None  # its id and version; None for embeddings
    cost: float | None  # the highest possible cost in US dollars; None if the model has no price


@dataclass(frozen=True, slots=True)
class CallEnd:
    """Describes how a call ended."""

    outcome: str  # ok, cached, rate_limited, refused, truncated, invalid, timeout or failed
    detail: str | None = None  # the reason for another outcome than ok and cached
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None  # in US dollars; None: the highest possible cost counts as spent
    is_charged: bool = True  # False if the provider did no work, so that the call is free
    latency_ms: int | None = None
    rests: tuple[str, float] | None = None  # the model that no job may call, and for how many seconds


class Unfounded(Reject):
    """A model twice made statements that the story does not support.

    ``said`` is the model's last answer. ``instead`` is the result that the local provider made without a model.
    """

    def __init__(self, reason: str, said: str = "", instead: Any = None) -> None:
        super().__init__(reason)
        self.said = said
        self.instead = instead


def answered(ask: Callable[[], Made]) -> tuple[Made, Unfounded | None]:
    """Return the answer and None; if unfounded, one made without a model, and the exception that must end the job."""
    try:
        return ask(), None
    except Unfounded as refused:
        return refused.instead, refused


@dataclass(frozen=True, slots=True)
class Begun:
    """Describes an open call to a model in the ledger. The method ``settle`` closes the call."""

    id: UUID
    kept: Any = None  # the answer to an earlier equal call
    reply: Any = None  # the provider's reply in a batch
