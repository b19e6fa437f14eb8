"""Turns a story into evidence: its sentences, words, numbers and dates. Text that instructs a model is left out."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache

from actors.ai.gate.dates import Dates, dates
from actors.ai.gate.figures import known_numbers
from actors.ai.gate.form import SAYS
from actors.ai.gate.numbers import Number
from actors.ai.gate.quotations import normal
from actors.ai.markdown import blocks, marker, plain
from actors.ai.protocol import Story
from actors.ai.sentences import sentences
from actors.ai.words import SMALL

_TAG = re.compile(r"</?[a-z][^<>]{0,300}>", re.IGNORECASE)

STOPS = " .,;:!?\u3002"
_CAPITALS = 0.25
_MOST_CHARS = 60_000
_MOST_SENTENCES = 2_000
_TOKEN = re.compile(r"[^\W_]+(?:['\u2019.+#-][^\W_]+)*")
_POSSESSIVE = ("'s", "\u2019s")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_ELIDED = re.compile(r"^[^\W\d_]{1,2}['\u2019](?=\w{3})")  # such as the l' of l'eau
_ENDING = re.compile(r"(?:ings?|ed|es|s|e)$")


@dataclass(frozen=True)
class Evidence:
    """Holds a story's headline, source and sentences. ``orders`` has the left-out text, which instructs a model."""

    sentences: tuple[str, ...]
    orders: str

    @cached_property
    def text(self) -> str:
        """Return all sentences of the story as one text."""
        return "\n".join(self.sentences)

    @cached_property
    def normal(self) -> str:
        """Return the text in the normal form in which quotations are compared."""
        return normal(self.text)

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """Return each sentence in the form in which quotations are compared, without punctuation at its ends."""
        return tuple(normal(sentence).strip(STOPS) for sentence in self.sentences)

    @cached_property
    def keys(self) -> frozenset[str]:
        """Return the keys by which the story's words are compared (see the function ``keys``)."""
        return frozenset().union(*map(keys, self.sentences))

    @cached_property
    def dates(self) -> Dates:
        """Return the dates of the story."""
        return Dates({part for one in self._dated for part in one.parts})

    @cached_property
    def _dated(self) -> list[Dates]:
        return [dates(sentence) for sentence in self.sentences]

    @cached_property
    def numbers(self) -> tuple[Number, ...]:
        """Return the numbers of the story. A year counts as a number too."""
        found = known_numbers([one.rest for one in self._dated])
        years = {float(year) for year, _, _ in self.dates.days if year}
        return (*found, *(Number(((year, ""),), frozenset({year}), str(year)) for year in sorted(years)))

    @cached_property
    def script(self) -> str:
        """Return the writing system of most of the story's letters, such as LATIN."""
        return script(self.text)


def evidence(story: Story) -> Evidence:
    """Return a story as evidence. If a sentence instructs a model, it and the rest of its paragraph are left out."""
    # The cache key has only these parts of the story, because a story's age differs from job to job.
    return _evidence(story.title, story.source, story.document)


@lru_cache(maxsize=16)
def _evidence(title: str, source: str, document: str) -> Evidence:
    found, orders = [title, source], []
    for block in blocks(_TAG.sub(" ", document[:_MOST_CHARS])):
        if len(found) > _MOST_SENTENCES:
            break
        text = marker(block)
        for sentence in sentences(text):
            if SAYS["order"].search(sentence.text):
                orders.append(text[sentence.start :])
                break
            found.append(plain(sentence.text))
    told = (unicodedata.normalize("NFKC", text) for text in found[:_MOST_SENTENCES] if text)
    return Evidence(tuple(told), "\n".join(orders))


@lru_cache(maxsize=1024)
def tokens(text: str) -> tuple[str, ...]:
    """Return the words of a text in their original spelling, but without a final ``'s``."""
    return tuple([word[:-2] if word.endswith(_POSSESSIVE) else word for word in _TOKEN.findall(text)])


@lru_cache(maxsize=4096)
def key(word: str) -> str:
    """Return a key for all forms of a word: at most five letters, without an ending like -ing. GPT-5 stays whole."""
    lower = _ELIDED.sub("", word.lower())
    if len(lower) > 4 and lower.isalpha():
        lower = _ENDING.sub("", lower)
    elif len(lower) == 4 and lower.endswith("s"):
        lower = lower[:3]
    return lower[:5] if lower.isalpha() else lower


@lru_cache(maxsize=1024)
def keys(text: str) -> frozenset[str]:
    """Return the keys of words other than "the" and the like or, in a script without spaces, pairs of characters."""
    if is_unspaced(text):
        bare = re.sub(r"[\W_\d\u3040-\u309f]+", " ", text)  # endings and particles do not carry facts
        return frozenset(bare[at : at + 2] for at in range(len(bare) - 1) if " " not in bare[at : at + 2])
    return frozenset(map(_fact, tokens(text))) - {""}


@lru_cache(maxsize=4096)
def _fact(word: str) -> str:
    """Return the key of a word, or an empty string for a single letter or a word in ``SMALL``, such as "the"."""
    return key(word) if word.lower() not in SMALL and (len(word) > 1 or word.isdigit()) else ""


@lru_cache(maxsize=16)
def has_capital_nouns(sentences: tuple[str, ...]) -> bool:
    """Return whether the language capitalises nouns, as German does. The share of capitals inside sentences decides."""
    firsts = [word[0] for sentence in sentences for word in tokens(sentence)[1:] if len(word) > 3]
    return sum(map(str.isupper, firsts)) > _CAPITALS * len(firsts)


@lru_cache(maxsize=1024)
def is_unspaced(text: str) -> bool:
    """Return whether most letters of a text are Chinese or Japanese."""
    found = [] if text.isascii() else UNSPACED.findall(text)
    return bool(found) and 2 * len(found) > sum(map(str.isalpha, text))


def script(text: str) -> str:
    """Return the writing system of most letters in a text, such as LATIN, CYRILLIC or CJK, or "" without letters."""
    counted = Counter[str]()
    for char, times in Counter(filter(str.isalpha, text[:2000])).items():
        name = "LATIN" if char.isascii() else unicodedata.name(char, "").split(" ")[0]
        counted["CJK" if name in {"HIRAGANA", "KATAKANA"} else name] += times
    return counted.most_common(1)[0][0] if counted else ""
