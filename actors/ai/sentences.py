"""Splits a text into whole sentences with their places."""

import re
from dataclasses import dataclass
from functools import lru_cache

from actors.ai.words import SMALL, count
from actors.calendar_names import MONTHS

# After three kinds of abbreviations, a stop ends no sentence: after any of ``_ALWAYS``, or before a name or a number.
_ALWAYS = frozenset(
    "e.g i.e eg ie cf vs approx incl excl resp ca ph.d u.s u.k u.n e.u bzw z.b d.h u.a evtl ggf inkl sog mio mrd".split()  # noqa: SIM905
    + "p.ex np tzw m.in ul ee.uu".split()  # noqa: SIM905
)
_BEFORE_NAMES = frozenset(
    "ID Prof Gov Gen Rep Sen Capt Sra Dra Lic Ing Mme Mlle Sig Dott Jan Feb Aug Sept Oct Nov Dec".split()  # noqa: SIM905
)
_BEFORE_NUMBERS = frozenset("no nos rec fig figs eq eqs sec ch vol pp p al par art nr abs ust pkt poz".split())  # noqa: SIM905
_CLOSERS = "\"'\u201d\u2019)]»*_`"
_MARKS = ('"', "\u201c", "\u201e", "«")  # these open a quotation, which may begin in lower case after a full stop
_OPENERS = "\"'\u201c\u2018([«*_`"
# Full-width stops end a sentence even without white space after them. The pattern is possessive, so that a run of stops
# is read only once, because a page may have nothing but stops.
_END = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'\u201d\u2019)\]»*_`]*+(?=\s|$)|[\u3002\uff01\uff1f]+[\u201d\u300f\u300d\uff09]*"
    r"|(?<=[a-zß-ÿ]{3})[.!?](?=[A-ZÀ-Þ][a-zß-ÿ]*+\s)"  # the space after the stop is missing
)
_STOPS = (".", "!", "?", "\u3002", "\uff01", "\uff1f")
_NEXT = re.compile(r"\s*(\S.{0,5})", re.DOTALL)
_NEXT_WORD = re.compile(r"\W{0,20}+(\w+)")  # the pattern has a bound, because a page may consist of stops and spaces
_DASH = re.compile(r"\s[\u2014\u2013][*_]*\s")  # after the stop of an abbreviation, as in "ORRIN, Vel. — "
_SMALL_LETTERS = re.compile(r"(?:^|\s)[a-zß-ÿ]+$")
_CONSONANTS = re.compile(r"[B-DF-HJ-NP-TV-XZ][b-df-hj-np-tv-xz]{1,3}")  # as in Lt. and Mr.
_DOTTED = re.compile(r"[A-Z]\w?\.[A-Z]|ID")  # as in U.S., which may end a sentence
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_ORDINAL = re.compile(  # after the stop of a German ordinal, as in "31. März"
    rf"\s(?:{MONTHS['de'].title().replace(' ', '|')}|Jahrhundert|Geburtstag|Weltkrieg)\b"
)
_BEFORE_ORDINAL = re.compile(  # before a German ordinal, as in "nach dem 10. Spieltag"
    r"\b(?:am|vom|zum|zur|beim|im|der|die|das|dem|den|des|ab|seit|und|bis|nach|jede[rmns]|ihre[mnr]|seine[mnr]|eine[mnr])\s\d{1,2}$"
)
_LONGEST_ORDINAL = 12
_LONGEST_WORD = 20  # maximum number of characters in an abbreviation
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")  # as in J.D. Power
_LAST_WORD = re.compile(r"([\w.]+)$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Holds a sentence and its place: ``text == document[start:end]``."""

    start: int
    end: int
    text: str


def sentences(text: str, offset: int = 0) -> list[Sentence]:
    """Return the sentences of ``text``, which begins at ``offset`` in its document. An empty line always ends a sentence."""
    found: list[Sentence] = []
    start = 0
    for end in [*_ends(text), len(text)]:
        piece = text[start:end]
        stripped = piece.strip()
        if stripped:
            first = offset + start + len(piece) - len(piece.lstrip())
            found.append(Sentence(first, first + len(stripped), stripped))
        start = end
    return found


@lru_cache(maxsize=512)
def is_whole(sentence: str) -> bool:
    """Return whether a text is a full sentence: it begins and ends like a sentence, and has at least four words."""
    bare = sentence.strip().rstrip(_CLOSERS)
    first = next((char for char in sentence if char.isalnum()), "")
    return bare.endswith(_STOPS) and not first.islower() and count(bare) >= 4


@lru_cache(maxsize=256)
def _ends(text: str) -> list[int]:
    ends = [match.end() for match in _PARAGRAPH.finditer(text)]
    ends += [match.end() for match in _END.finditer(text) if _is_end(text, match)]
    return sorted(set(ends))


def _is_end(text: str, match: re.Match[str]) -> bool:
    following = _NEXT.match(text, match.end())
    if following is None:
        return True
    first = following.group(1).lstrip(_OPENERS)[:1]
    if (first.islower() and not following.group(1).startswith(_MARKS)) or _DASH.match(text, match.end()):
        return False
    if match.group() == "." and text[match.start() - 1 : match.start()].isdigit():
        ahead = text[max(0, match.start() - _LONGEST_ORDINAL) : match.start()]
        if _ORDINAL.match(text, match.end()) or _BEFORE_ORDINAL.search(ahead):
            return False
    ahead = text[max(0, match.start() - _LONGEST_WORD) : match.start()]
    following = _NEXT_WORD.match(text, match.end())
    is_small = following is not None and following[1].lower() in SMALL
    if (
        text[match.end()] == first and text[match.end() - 1] in _STOPS[:3]
    ):  # the space is missing, as in "that day.The" and Task.Run
        return is_small or _SMALL_LETTERS.search(ahead) is not None
    before = _LAST_WORD.search(ahead)
    if before is None or not match.group().startswith(".") or match.group().startswith(".."):
        return True
    word = before.group(1).lstrip(".")
    return (is_small and _DOTTED.fullmatch(word) is not None) or not _is_abbreviation(word, first)


def _is_abbreviation(word: str, first: str) -> bool:
    """Return whether the full stop after ``word`` is a part of it. ``first`` is the next character that is no quotation mark."""
    if word.lower() in _BEFORE_NUMBERS:
        return first.isdigit()
    is_initial = word.isupper() and word != "I" and _INITIALS.fullmatch(word) is not None
    is_title = _CONSONANTS.fullmatch(word) is not None
    return word.lower() in _ALWAYS or word in _BEFORE_NAMES or is_initial or is_title
