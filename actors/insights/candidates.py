"""Describes a candidate highlight: a quote from a text, its kind and its place."""

from dataclasses import dataclass, field
from typing import Literal

from actors.ai.composition import shorten
from actors.schema import Context, Insight

Kind = Literal["insight", "quote", "action", "question", "code_example", "code_change", "api_change", "metric"]


_TITLE = 80  # maximum number of characters in a title


@dataclass(frozen=True, slots=True)
class Candidate:
    """Describes a candidate for a highlight.

    Attributes:
        summary: The content as plain text. ``quote`` has the unchanged characters from ``start`` to ``end``.
        language: The programming language that a code block names, or empty.
        weight: The importance among candidates of the same kind. A higher weight is better.
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

    def insight(self, document_hash: str) -> Insight:
        """Return the insight for dedupe-insights. ``document_hash`` identifies the text that the places refer to."""
        place = {"start": self.start, "end": self.end, "heading": self.heading or None}
        language = {"language": self.language} if self.language else {}
        return Insight(
            title=shorten(self.heading or self.summary, _TITLE),
            summary=self.summary,
            quote=self.quote,
            tags=[self.kind, *language.values()],
            metadata={"kind": self.kind, "place": place, "text": document_hash, **language},
            context=self.context,
        )
