"""A candidate highlight: a quote of a text, its kind and its place."""

from dataclasses import dataclass, field
from typing import Any, Literal

from actors.ai.composition import shorten
from actors.schema import Context, Insight

Kind = Literal["insight", "quote", "action", "question", "code_example", "code_change", "api_change", "metric"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate for a highlight.

    Attributes:
        kind: The kind of highlight.
        summary: Its content as plain text.
        quote: The characters of the document from ``start`` to ``end``, unchanged.
        start: Place in the document at which the quote begins.
        end: Place at which it ends.
        heading: The heading above it, else empty.
        language: The programming language that a code block names, else empty.
        weight: Its importance within its kind; higher is better.
        context: The headings above it, and the sentence before it.

    """

    kind: Kind
    summary: str
    quote: str
    start: int
    end: int
    heading: str = ""
    language: str = ""
    weight: float = 0.0
    context: Context = field(default_factory=Context)

    def title(self, limit: int = 80) -> str:
        """A short name: the heading, else the beginning of the summary."""
        return shorten(self.heading or self.summary, limit)

    def insight(self, document_hash: str) -> Insight:
        """The insight for dedupe-insights. ``document_hash`` identifies the text of the places."""
        metadata: dict[str, Any] = {
            "kind": self.kind,
            "place": {"start": self.start, "end": self.end, "heading": self.heading or None},
            "text": document_hash,
        }
        if self.language:
            metadata["language"] = self.language
        return Insight(
            title=self.title(),
            summary=self.summary,
            quote=self.quote,
            tags=[self.kind, *([self.language] if self.language else [])],
            metadata=metadata,
            context=self.context,
        )
