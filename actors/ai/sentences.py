"""Splits a text into whole sentences, and gives the position of each."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from re import Match

from actors.ai.words import SMALL, count
from actors.calendar_names import MONTHS
from actors.patterns import patterns

# After these abbreviations, a full stop does not end a sentence: everywhere, before names, or before numbers.
_ALWAYS, _BEFORE_NAMES, _BEFORE_NUMBERS = (
    frozenset(line.split()) for line in (files("actors.ai") / "abbreviations.txt").read_text("utf-8").splitlines()[1:]
)
_FORMS = patterns("actors.ai", "sentences.txt", german_months=MONTHS["de"].title().replace(" ", "|"))
_CLOSERS = "\"'\u201d\u2019)]»*_`"
_MARKS = ('"', "\u201c", "\u201e", "«")  # these open a quotation, which may begin in lower case after a full stop
_OPENERS = "\"'\u201c\u2018([«*_`"
_STOPS = (".", "!", "?", "\u3002", "\uff01", "\uff1f")
_LONGEST_ORDINAL = 12
_LONGEST_WORD = 20  # maximum number of characters in an abbreviation


@dataclass(frozen=True, slots=True)
class Sentence:
    """Holds a sentence and its position: ``text == document[start:end]``."""

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
    ends = [match.end() for match in _FORMS["paragraph"].finditer(text)]
    ends += [match.end() for match in _FORMS["end"].finditer(text) if _is_end(text, match)]
    return sorted(set(ends))


def _is_end(text: str, match: Match[str]) -> bool:
    following = _FORMS["next"].match(text, match.end())
    if following is None:
        return True
    first = following.group(1).lstrip(_OPENERS)[:1]
    if (first.islower() and not following.group(1).startswith(_MARKS)) or _FORMS["dash"].match(text, match.end()):
        return False
    if match.group() == "." and text[match.start() - 1 : match.start()].isdigit():
        ahead = text[max(0, match.start() - _LONGEST_ORDINAL) : match.start()]
        if _FORMS["ordinal"].match(text, match.end()) or _FORMS["before_ordinal"].search(ahead):
            return False
    ahead = text[max(0, match.start() - _LONGEST_WORD) : match.start()]
    following = _FORMS["next_word"].match(text, match.end())
    is_small = following is not None and following[1].lower() in SMALL
    if (
        text[match.end()] == first and text[match.end() - 1] in _STOPS[:3]
    ):  # the space is missing, as in "that day.The" and Task.Run
        return is_small or _FORMS["small_letters"].search(ahead) is not None
    before = _FORMS["last_word"].search(ahead)
    if before is None or not match.group().startswith(".") or match.group().startswith(".."):
        return True
    word = before.group(1).lstrip(".")
    return (is_small and _FORMS["dotted"].fullmatch(word) is not None) or not _is_abbreviation(word, first)


def _is_abbreviation(word: str, first: str) -> bool:
    """Return whether ``word`` and its full stop are an abbreviation. ``first`` is the next word's first character."""
    if word.lower() in _BEFORE_NUMBERS:
        return first.isdigit()
    is_initial = word.isupper() and word != "I" and _FORMS["initials"].fullmatch(word) is not None
    is_title = _FORMS["consonants"].fullmatch(word) is not None
    return word.lower() in _ALWAYS or word in _BEFORE_NAMES or is_initial or is_title
