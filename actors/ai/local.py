"""Analyses stories without a model: its texts are sentences of the story, and are labelled as extractive."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from actors.ai.chili import Chili
from actors.ai.composition import in_longer_lengths, one_line
from actors.ai.markdown import prose
from actors.ai.protocol import Analysis, Brief, Embedding, Provenance, Story, Summary
from actors.ai.ranking import Ranked, best, ranked
from actors.ai.words import terms

if TYPE_CHECKING:
    from actors.store.ai_calls import Ledger

MADE_BY = Provenance(provider="local", model="extractive-21")
"""The origin that is stored with each text. Raise the number with any change of the chosen sentences."""

_SUMMARY_CHARS = 600
_LEAD_CHARS = 1000
_TITLE_BONUS = 2.0


class Analyst:
    """Analyses stories without a model, deterministically. Classes for other providers inherit from it.

    Their methods raise ``Retry`` or ``Defer`` if the provider asks to wait, ``Reject`` if the provider refuses the
    request or the settings are wrong, and ``Unfounded`` if the story does not support the model's answer.
    """

    embeds_together = False  # whether a provider embeds many stories in one request
    # A provider with a model may set this function. It returns the other story that reports the same event, or None.
    same_event: Callable[[Story, Sequence[Story], Ledger], Story | None] | None = None
    batches: Any = None  # the provider's Batches, if there is a provider

    def __init__(self, chili: Chili, embed_text: Callable[[str], list[float]], model_version: str) -> None:
        self._chili = chili
        self.rescore = chili.rescore
        self._embed_text = embed_text
        self._model_version = model_version

    def analyze(self, story: Story, ledger: Ledger | None = None) -> Analysis:  # noqa: ARG002
        """Return the chili score, a brief and a summary, but not why the story matters, which only a model can say."""
        chili, breakdown = self._chili.score(story)
        brief, summary = self.brief(story), self.summarize(story)
        return Analysis(None, chili, "extractive", MADE_BY, breakdown=breakdown, brief=brief, summary=summary)

    def brief(self, story: Story, ledger: Ledger | None = None) -> Brief:  # noqa: ARG002
        """Return a brief in three lengths, made of whole sentences of the story."""
        order = _best(story.title, story.document)
        two, elevator = in_longer_lengths(story.title, [(item.start, item.text) for item in order])
        return Brief(one_line(story), two, elevator, MADE_BY)

    def summarize(self, story: Story, ledger: Ledger | None = None) -> Summary:  # noqa: ARG002
        """Return up to three of the best sentences, in their order, with at most 600 characters in total."""
        chosen: list[Ranked] = []
        for item in _best(story.title, story.document)[:3]:
            if sum(len(other.text) + 1 for other in chosen) + len(item.text) <= _SUMMARY_CHARS:
                chosen.append(item)
        return Summary(" ".join(item.text for item in sorted(chosen, key=lambda item: item.start)) or None, MADE_BY)

    def embed(self, story: Story, ledger: Ledger | None = None) -> Embedding:
        """Return a vector of a story's title and beginning."""
        (made,) = self.embed_many([story], ledger)
        if isinstance(made, Exception):
            raise made
        return made

    def embed_many(self, stories: Sequence[Story], ledger: Ledger | None = None) -> list[Embedding | Exception]:  # noqa: ARG002
        """Return a vector or an exception for each story. An exception that concerns all stories is raised."""
        return [Embedding(tuple(self._embed_text(lead(story))), self._model_version) for story in stories]


@lru_cache(maxsize=16)  # the embedding needs the text, and so does the search for similar stories
def lead(story: Story) -> str:
    """Return the text from which a story's embedding is made: the title and the first 1,000 characters of prose."""
    return f"{story.title}\n{opening(story)}"


def opening(story: Story) -> str:
    """Return the first 1,000 characters of a story's prose."""
    return prose(story.document)[:_LEAD_CHARS]


@lru_cache(maxsize=16)  # the brief needs the sentences, and so does the summary
def _best(title: str, document: str) -> list[Ranked]:
    """Return the eight best sentences. Words from the headline multiply a sentence's score by at most three."""
    named = set(terms(title))

    def bonus(item: Ranked) -> float:
        said = set(terms(item.text))
        return 1 + _TITLE_BONUS * len(named & said) / math.sqrt(len(named) * len(said)) if named and said else 1.0

    return best([item for item in ranked(document) if item.is_statement], 8, bonus=bonus)
