"""The AI step without a model: sentences taken from the story itself, labelled as such."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from actors.ai import gate
from actors.ai.chili import Chili
from actors.ai.composition import ONE_LINER, has_parts, in_longer_lengths
from actors.ai.gate.evidence import evidence, keys
from actors.ai.markdown import prose
from actors.ai.one_line import one_line
from actors.ai.patterns import patterns
from actors.ai.protocol import Analysis, Brief, Citation, Embedding, Ledger, Provenance, Story, Summary
from actors.ai.ranking import Ranked, best, ranked, topic
from actors.ai.sentences import is_whole, sentences
from actors.ai.standing import is_told_to_reader, speaks_of_us
from actors.ai.words import terms

MADE_BY = Provenance(provider="local", model="extractive-10")
"""Stored with each text. Raise the number when other sentences would be chosen."""

_SAYS = patterns("actors.ai", "patterns.txt")
_WHY_CHARS = 320
_SUMMARY_CHARS = 600
_TELLS = 0.6  # share of the headline's words from which on a sentence only repeats the headline
_FEW = 4  # a headline with fewer words need not share one with a reason
_LEAD_CHARS = 1000
_DESCRIBED = 1.4  # the worth of a description's first sentence beside the text's
_FADING = 0.5  # the worth of a place is divided by 1 and this for each sentence before it
_CUT_OFF = ("\u2026", "...", "]")
_LOOK_AHEAD = 60  # characters
_TITLE_BONUS = 2.0
_REASON_LEAD = 0.3
"""A story's first sentence tells the event, and rarely the reason why it matters."""


class LocalAnalyst:
    """Extractive analysis: free, offline, and the same in each run.

    Args:
        chili: Settings of the chili score.
        embed_text: From a text to a vector of 1536 numbers.
        model_version: The true name of the model behind ``embed_text``.
    """

    embeds_together = False
    batches = None

    def __init__(self, chili: Chili, embed_text: Callable[[str], list[float]], model_version: str) -> None:
        self._chili = chili
        self.rescore = chili.rescore
        self._embed_text = embed_text
        self._model_version = model_version

    def analyze(self, story: Story, ledger: Ledger | None = None) -> Analysis:  # noqa: ARG002
        """One or two sentences of the story that give reasons, verbatim, and the chili formula's score.

        The first sentence and a sentence that only repeats the headline give no reason, and nor does a list, a guide, a review of
        several things or an advert. If no other sentence gives a reason for something in the headline, the text stays empty.
        """
        headline = set(terms(story.title))
        pool = [
            item
            for item in _shown(story, _REASON_LEAD)[1:]
            if _SAYS["reason"].search(item.text) and item.is_independent and len(item.text) <= _WHY_CHARS
            if not is_told_to_reader(item.text) and not speaks_of_us(item.text)
            if _adds_to(headline, set(terms(item.text)))
        ]
        if has_parts(story.title, story.document, [item.text for item in ranked(story.document)]):
            pool = []
        chosen = _fitting(best(pool, 2), _WHY_CHARS)
        chili, breakdown = self._chili.score(story)
        return Analysis(
            why_it_matters=" ".join(item.text for item in chosen) or None,
            chili=chili,
            state="extractive",
            made_by=MADE_BY,
            citations=tuple(Citation(item.raw, item.start, item.end) for item in chosen),
            breakdown=breakdown,
            brief=self.brief(story),
            summary=self.summarize(story),
        )

    def brief(self, story: Story, ledger: Ledger | None = None) -> Brief:  # noqa: ARG002
        """Whole sentences of the story in three lengths."""
        order = best(_shown(story), 8, bonus=_about(story.title))
        two, elevator = in_longer_lengths(story.title, [(item.start, item.text) for item in order])
        one = one_line(story.title, topic(story.title, story.document), _placed(story))
        return Brief(one, two, elevator, MADE_BY)

    def summarize(self, story: Story, ledger: Ledger | None = None) -> Summary:  # noqa: ARG002
        """Up to three whole sentences of at most 600 characters together, in the story's order."""
        chosen = _fitting(best(_shown(story), 3, bonus=_about(story.title)), _SUMMARY_CHARS)
        return Summary(" ".join(item.text for item in chosen) or None, MADE_BY)

    def embed(self, story: Story, ledger: Ledger | None = None) -> Embedding:  # noqa: ARG002
        """A vector of the title and the first 1,000 characters of prose."""
        return Embedding(tuple(self._embed_text(lead(story))), self._model_version)

    def embed_many(self, stories: Sequence[Story], ledgers: Sequence[Ledger]) -> list[Embedding | Exception]:  # noqa: ARG002
        """As ``embed``."""
        return [self.embed(story) for story in stories]


def _fitting(items: Iterable[Ranked], limit: int) -> list[Ranked]:
    """The first items that fit into ``limit`` characters together, in the story's order; an item that is too long is left out."""
    chosen: list[Ranked] = []
    for item in items:
        if sum(len(other.text) + 1 for other in chosen) + len(item.text) <= limit:
            chosen.append(item)
    return sorted(chosen, key=lambda item: item.start)


@lru_cache(maxsize=16)  # for the embedding, and again for the search of similar stories
def lead(story: Story) -> str:
    """The text that is embedded: the title and the first 1,000 characters of prose."""
    return f"{story.title}\n{prose(story.document)[:_LEAD_CHARS]}"


def _shown(story: Story, lead: float = 0.6) -> list[Ranked]:
    """The story's sentences that may be shown, in order."""
    return [item for item in ranked(story.document, lead) if item.is_statement]


def _adds_to(headline: set[str], said: set[str]) -> bool:
    """Whether a sentence is about something in the headline, if the headline has enough words, and does not only repeat it."""
    shared = len(headline & said)
    return (shared > 0 or len(headline) < _FEW) and shared < max(2, _TELLS * len(headline))


def _placed(story: Story) -> Iterator[tuple[str, float]]:
    """The sentences that may be the only one, each with the worth of its place.

    It is highest at the beginning of the text, and of the page's description as far as the story has its words.
    """
    shown = _shown(story)
    known = evidence(story).keys
    for place, text in enumerate(_described(story)):
        told = next((item.text for item in shown[:2] if item.text in text), text)
        said = keys(told)
        borne_out = min(1.0, 2 * len(said & known) / max(1, len(said)))
        yield told, _DESCRIBED * borne_out / (1 + _FADING * place)
    for place, item in enumerate(shown):
        yield item.text, 1 / (1 + _FADING * place)


def _described(story: Story) -> list[str]:
    """Those of the first two sentences of the page's own description that are whole and that the story bears out."""
    return [
        one.text
        for one in sentences(story.description)[:2]
        if _is_ended(one.text, story.document) and gate.fault(one.text, story) is None
    ]


def _is_ended(text: str, document: str) -> bool:
    """Whether a description is a whole sentence, with or without a stop, and the document does not go on with it."""
    is_told = is_whole(text) or (len(text) <= ONE_LINER and is_whole(f"{text}."))
    rest = document.partition(text)[2][:_LOOK_AHEAD]
    return is_told and not text.endswith(_CUT_OFF) and sentences(text + rest)[0].text == text


def _about(title: str) -> Callable[[Ranked], float]:
    """A bonus for sentences with the headline's words, because they tell the subject: up to three times the score."""
    named = set(terms(title))

    def bonus(item: Ranked) -> float:
        said = set(terms(item.text))
        return 1 + _TITLE_BONUS * len(named & said) / math.sqrt(len(named) * len(said)) if named and said else 1.0

    return bonus
