"""Whether a highlight names what it is about: its reader sees the story's headline, and nothing that stands around it."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from actors.ai.gate import statements
from actors.ai.gate.evidence import evidence, is_unspaced, key, keys, tokens, tongues
from actors.ai.gate.names import speakers
from actors.ai.gate.statements import SPEAKS
from actors.ai.pronouns import ARTICLES, DEMONSTRATIVES, HERE, LINKS, RELATIVES, SUBJECTS
from actors.ai.protocol import Story
from actors.ai.sentences import sentences
from actors.ai.standing import (
    FULL_NAME,
    TIMES,
    addresses_reader,
    is_told_to_reader,
    speaks_of_us,
    speech,
    without_speech,
)

if TYPE_CHECKING:
    from actors.insights.candidates import Candidate

_SUBJECT = 0.6  # of a sentence, in which its subject stands
_SUBJECT_WORDS = 10  # and no fewer
_NAME_WORDS = 8  # among which a name is the subject's
_POINTING_WORDS = 18  # a demonstrative behind them may mean something in its own sentence
_NOUN_WORDS = 3  # among which the noun behind an article stands
_KNOWN = 3  # times that a page has a name rather than a person's office
_SPOKEN_WORDS = 10  # a shorter speech says something about the headline, or little
_OF_ALL = 2  # words that a sentence about everything on a list shares with its headline
_MOST_SAID = 10  # words
_FEW = 3  # words of a headline that names enough
_NEXT = 80  # characters that show how the next sentence begins

_LIST = re.compile(
    r"\b(?:top|best|worst) (?!practices\b|ways\b|tips\b)(?:\w+ ){0,4}?\w+s\b|\btop \d+\b"
    r"|^\W*(?:(?:the|my|our|l[ao]s|les|die) )?\d{1,2} [^\W\d]\w|[:|] (?:\w+ )?\d{1,2} (?:\w+ ){0,4}?\w+s\b"
    r"|\b(?:mejores|meilleure?s|besten|migliori|melhores|najlepsz\w+)\b|\d+選|おすすめ",
    re.IGNORECASE,
)
"""A headline of several things that are compared."""
_OF_LIST = frozenset({"top", "best", "worst"})
_INSIDE = re.compile(r"(?<=[\w,;:)\u2019'] )[^\W\d_][\w&-]*")
_ODD = re.compile(r"[A-Z0-9]*[A-Z][A-Z0-9-]+|[A-Z]?[a-z]+[A-Z]\w*")
_NAME_UNSPACED = re.compile(r"[A-Za-z]{2}|[\u30a1-\u30fa\u30fc]{3}")
_POINTING = re.compile(
    rf"(?:\b(?:{DEMONSTRATIVES}) |この|その)(?!{TIMES}|ほど|[日年月週春夏秋冬])|\bin the same (?:{TIMES}|quarter|period)"
    r"|\bim selben Jahr|\bla même année|\bel mismo año|\b(?:nello stesso anno|no mesmo ano)\b",
    re.IGNORECASE,
)
_NOUN_AT_END = re.compile(r"(?=.*[ぁ-ん]).*[一-龥]\u3002$")
"""A Japanese sentence without a verb."""
_ENTRY = re.compile(r"[^.!?:\"\u201c]{2,45}: (?=[A-ZÀ-Ý\d])|(?:[^\s,]+ ){1,4}[-\u2013] (?!.* [-\u2013] )")
"""A sentence behind a label, and an entry of a list."""
_HE_SAID = re.compile(rf"\b(?:{SUBJECTS}) (?:{SPEAKS})\b|\b(?:{SPEAKS}) (?:{SUBJECTS})\b", re.IGNORECASE)
_HIS = re.compile(r"(?P<before>(?:\S+ ){1,10}?)(?:his|her|hers|him)\b(?! [^,]{2,40}, [A-ZÀ-Ý])")
_SAYS = re.compile(rf"(?P<name>[^\W\d_][\w-]*) (?:{SPEAKS}|agree[sd]|and (?:his|her|their))\b")
_WHICH = re.compile(
    r"(?P<before>.*?)\b(?:the (?:country|city|town|state|region|company|firm|brand|team|school|university|report|study|survey"
    r"|authors?|researchers?)|el país|la ciudad|la empresa|le pays|la ville|l['\u2019]entreprise|das Land|die Stadt"
    r"|das Unternehmen|il paese|la città|l['\u2019]azienda|o país|a cidade|a empresa)\b"
    r"(?! (?:of|that|which|who|in|from|with|de|di|der|des|do|da)\b| [A-ZÀ-Ý])"
)
"""Nouns that only a name before them explains."""
_TAKEN_BACK = re.compile(
    r"\W*(?:(?:But|However|Yet|Kind of|Sort of|Not (?:really|quite|exactly|so|anymore)|Well|Wrong|Aber|Doch|Jedoch|Allerdings"
    r"|Mais|Pourtant|Cependant|Toutefois|Pero|Sin embargo|No obstante|Ma|Però|Tuttavia|Mas|Porém|No entanto|Ale|Jednak|Mutta)\b"
    r"|しかし|だが|ただし|ところが|但|不过|然而|그러나|하지만|لكن|ولكن)"
)


class Page:
    """What a story's highlights are judged by.

    Args:
        document: Its text.
        title: Its headline.

    Attributes:
        has_code: Whether it has code blocks.
    """

    def __init__(self, document: str, title: str) -> None:
        self.has_code = "\n```" in document  # its authors tell what they did, and readers what to do
        self._document = document
        self._known = evidence(Story(UUID(int=0), "", document))
        self._headline = keys(title)
        self._is_list = _LIST.search(title) is not None

    @cached_property
    def _names(self) -> Counter[str]:
        """Words that have a capital within a sentence, and are never written without one, with how often."""
        found = (name for sentence in self._known.sentences for name in _INSIDE.findall(sentence) if name[0].isupper())
        return Counter(name for name in found if name.lower() not in self._known.common)

    @cached_property
    def _about(self) -> frozenset[str]:
        """The words of the headline; with code, also those that the page says most, for such headlines are plays on words."""
        said = Counter(word for sentence in self._known.keys_of for word in sentence)
        return self._headline.union(word for word, _ in said.most_common(_MOST_SAID if self.has_code else 0))

    @cached_property
    def _language(self) -> str:
        counted = tongues(self._known.text)
        return max(counted, key=counted.__getitem__)

    def can_show(self, candidate: Candidate) -> bool:
        """Whether a reader understands a highlight without its page."""
        text = candidate.summary
        first = sentences(text)[0].text
        around = without_speech(text)
        is_central = candidate.kind == "insight"
        return not (
            statements.told_as_fact(text, self._known) is not None
            or (is_central and (is_told_to_reader(text) or not self._shares(text)))
            or (not self.has_code and (self._is_talk(text) or self._is_unknown(first) or _ENTRY.match(first)))
            or self._points(first)
            or not (candidate.kind == "action" or "`" in candidate.quote or self._names_subject(text, first))
            or self._is_about_somebody(around)
            or (speech(text) and not self._names_speaker(text, around))
            or _NOUN_AT_END.match(text)
            or (candidate.kind != "metric" and _TAKEN_BACK.match(self._document[candidate.end : candidate.end + _NEXT]))
        )

    def _is_talk(self, text: str) -> bool:
        return is_told_to_reader(text) or addresses_reader(text) or speaks_of_us(text)

    def _shares(self, text: str) -> bool:
        """Whether a text has a word of the headline, where that has enough of them."""
        return len(self._headline) < _FEW or bool(self._headline & keys(text))

    def _points(self, first: str) -> bool:
        """Whether a sentence points to what stands elsewhere on the page: this affair, here."""
        early = first if is_unspaced(first) else " ".join(first.split()[:_POINTING_WORDS])
        return (
            _POINTING.search(early) is not None
            or re.search(rf"\b(?:{HERE[self._language]})\b", without_speech(first)) is not None
        )

    def _names_subject(self, text: str, first: str) -> bool:
        """Whether a name, or a word of the headline, stands where the subject does; of a list, a name of its own."""
        if is_unspaced(text):
            begin = first[: int(_SUBJECT * len(first))]
            return _NAME_UNSPACED.search(begin) is not None or not self._headline or bool(self._about & keys(begin))
        words = first.split()
        begin = " ".join(words[: max(_SUBJECT_WORDS, int(_SUBJECT * len(words)))])
        named = self._named(without_speech(text) if speech(text) else " ".join(words[:_NAME_WORDS]))
        if not self._is_list:
            return bool(named) or not self._headline or bool(self._about & keys(begin))
        listed = {each for each in self._headline if each not in _OF_LIST and not each.isdigit()}
        is_own = any(key(name) not in self._headline for name in named)
        return is_own or len(listed & keys(begin)) >= min(_OF_ALL, len(listed))

    def _named(self, text: str) -> list[str]:
        """The names in a text; of German, which writes nouns with a capital too, full names and odd ones."""
        if self._known.is_german:
            return [name.group() for name in FULL_NAME.finditer(text.partition(" ")[2])] + _ODD.findall(text)
        return [word for word in tokens(text) if word in self._names or (word[:1].isupper() and _ODD.fullmatch(word))]

    def _is_unknown(self, first: str) -> bool:
        """Whether a noun with the definite article is one that neither a name nor the headline explains."""
        which = _WHICH.match(first)
        if which and not (self._named(which["before"]) or self._about & keys(which.group()[which.end("before") :])):
            return True
        article = rf"(?:\w+ly,? |[^,]{{2,60}}, )?(?i:{ARTICLES[self._language]})(?: |(?<=['\u2019]))"
        found = re.match(article, first)
        behind = re.findall(r"[\w'\u2019-]+", first[found.end() :])[: _NOUN_WORDS + 1] if found else []
        return bool(behind and self._headline) and not (behind[0][0].isdigit() or self._is_explained(behind))

    def _is_explained(self, behind: list[str]) -> bool:
        """Whether the words behind a definite article have a name, a word of the headline, or what tells which one is meant."""
        noun = tokens(" ".join(behind[:_NOUN_WORDS]))
        if any(key(word) in self._about for word in noun) or RELATIVES.intersection(behind[1:2]):
            return True
        if len(behind) > 1 and behind[0][0].isupper() and behind[1][0].isupper():
            return True
        if not self._known.is_german and any(self._names[word] >= _KNOWN for word in noun):
            return True
        return any(
            word.lower() in LINKS and not after[:1].isdigit()
            for word, after in zip(behind[1:], [*behind[2:], ""], strict=True)
        )

    def _is_about_somebody(self, text: str) -> bool:
        """Whether a text says he, or gives only the last name of a person that the headline does not have."""
        his, he, says = _HIS.match(text), _HE_SAID.search(text), _SAYS.match(text)
        if (his and not self._named(his["before"])) or (he and not FULL_NAME.search(text[: he.start()])):
            return True
        if says is None or key(says["name"]) in self._headline:
            return False
        return re.search(rf"[A-ZÀ-Ý][\w'\u2019-]+ {says['name']}\b", self._known.text) is not None

    def _names_speaker(self, text: str, around: str) -> bool:
        """Whether speech has a full name beside it, or one that the headline has, and enough words."""
        spoken = sum(len(one.group().split()) for one in speech(text))
        is_known = FULL_NAME.search(around) or self._headline & {key(name) for name in speakers(around)}
        says_enough = spoken >= _SPOKEN_WORDS or is_unspaced(text) or not self._headline or self._headline & keys(text)
        return bool(is_known and says_enough) and not self._is_list
