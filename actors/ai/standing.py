"""Tests whether a sentence makes sense alone: it names its subject and its speaker, and refers to no other sentence."""

import re
from functools import lru_cache
from itertools import chain, islice, pairwise

from actors.ai.gate import form
from actors.ai.gate.evidence import is_unspaced, key, keys, tokens
from actors.ai.gate.form import SAYS
from actors.ai.markdown import prose
from actors.ai.sentences import is_whole, sentences
from actors.ai.words import SMALL
from actors.calendar_names import CALENDAR

_LONGEST = 600  # maximum number of characters in a sentence; the bound also keeps the patterns fast
_SPEECH = 25  # a quotation with at most this number of characters is a name or a term, not speech
_CLOSE = 4  # number of words before and after a speech that are searched for the speaker's name
_TITLE_CASE = 0.7  # a text with this share of capitalised words is a heading
_FIGURES = 2  # a text with at least this number of figures, and many names, is from a table
_MOST_MARKED = 0.6  # the largest share of names and figures among the words of a sentence with these figures
_OPENING = 6  # number of words at the beginning of a sentence that must name the subject
_BEHIND_ARTICLE = 4  # number of words after a first word "the" that must name the subject
_INTRODUCTION = 16  # maximum number of words before a comma that may precede the subject
_DENSE_OPENING = 12  # number of characters of a Chinese or Japanese sentence that must name the subject
_NUMBER = 3  # number of first words in which a number belongs to the subject
_MOST_SENTENCES = 300


def is_fit(text: str) -> bool:
    """Return whether a text is a whole sentence without a fault in its form, such as an unpaired bracket."""
    return is_whole(text) and form.fault(text) is None


def is_independent(text: str) -> bool:
    """Return whether a sentence can be read without the sentences before it."""
    return len(text) <= _LONGEST and not is_scrap(text) and not leans(text)


def is_told_to_reader(text: str) -> bool:
    """Return whether a sentence begins by addressing the reader, as advice and adverts do."""
    return SAYS["to_reader"].match(text) is not None


@lru_cache(maxsize=1024)
def unquoted(text: str) -> str:
    """Return a text without its quotations."""
    return SAYS["quotation"].sub(" ", text)


def addresses_reader(text: str) -> bool:
    """Return whether a sentence says ``you`` outside a quotation."""
    return SAYS["you"].search(unquoted(text)) is not None


@lru_cache(maxsize=1024)
def leans(text: str) -> bool:
    """Return whether a sentence refers to the sentence before it."""
    if any(SAYS[name].search(text) for name in ("linked", "of_it", "elsewhere")):
        return True
    if any(SAYS[name].match(text) for name in ("subjectless", "also", "role", "participle", "pointed")):
        return True
    if SAYS["start"].match(text) and not SAYS["dated"].match(text):
        return True
    early = SAYS["pronoun"].match(text) or SAYS["early"].match(text)
    return early is not None and not SAYS["named"].search(early["before"])


@lru_cache(maxsize=1024)
def is_scrap(text: str) -> bool:
    """Return whether a text is a fragment of a sentence or list, in the first person, or speech of somebody unnamed."""
    around = unquoted(text)
    if (
        SAYS["scrap"].match(text)
        or SAYS["address"].search(text)
        or SAYS["symbol"].search(text)
        or SAYS["myself"].search(around)
        or not _names_speaker(text)
    ):
        return True
    if SAYS["role_speaks"].search(around) and not SAYS["full_name"].search(around):
        return True
    if is_unspaced(text):
        return False
    said = tokens(text)
    marked = sum(not word[0].islower() for word in said)
    return marked > (_MOST_MARKED if len(SAYS["figure"].findall(text)) >= _FIGURES else _TITLE_CASE) * len(said)


def speech(text: str) -> list[re.Match[str]]:
    """Return the quotations of a text that are long enough to be speech."""
    return [one for one in SAYS["quotation"].finditer(text) if len(one.group()) > _SPEECH]


def _names_speaker(text: str) -> bool:
    """Return whether there is a full name outside the quotation, or a single name within four words of it."""
    parts = SAYS["quotation"].sub(lambda one: "\n" if len(one.group()) > _SPEECH else " ", text).split("\n")
    if len(parts) == 1 or any(SAYS["full_name"].search(part) for part in parts):
        return True
    if is_unspaced(text):
        return SAYS["speaks_unspaced"].search("".join(parts)) is not None
    words = [SAYS["word"].findall(part) for part in parts]
    words[0] = words[0][1:]  # ignore the capital of the first word
    near = [word for part in words[:-1] for word in part[-_CLOSE:]]
    near += [word for part in words[1:] for word in part[:_CLOSE]]
    return any(word[0].isupper() or SAYS["uncased"].match(word) for word in near if not SAYS["start"].fullmatch(word))


def stands_alone(text: str, title: str, document: str, *, is_first: bool = False) -> bool:
    """Return whether a sentence of a document can be understood by a reader who knows only the headline.

    A document's first sentence (``is_first``) need not name its subject, because no earlier sentence can have named it.
    """
    outside = ("myself", "us", "you", "praise")  # a reader cannot know who says I, we or you; adverts praise
    return (
        is_independent(text)
        and not any(SAYS[name].search(unquoted(text)) for name in outside)
        and not SAYS["label"].match(text)
        and (is_first or _names_subject(text, keys(title)))
        and not _knows_somebody(text, keys(title), document)
    )


@lru_cache(maxsize=16)
def _last_names(document: str) -> frozenset[str]:
    """Return the last word of each multi-word name in a document."""
    told = (one.text for line in prose(document).split("\n") for one in sentences(line))
    return frozenset(run[-1] for text in islice(told, _MOST_SENTENCES) for run in names_in(text) if len(run) > 1)


@lru_cache(maxsize=512)
def names_in(text: str) -> list[list[str]]:
    """Return each name in a text: a list of adjacent capitalised words, up to ``'s``. Months and days are no names."""
    runs: list[list[str]] = []
    end = len(text)
    for match in SAYS["name"].finditer(text):
        word = match.group()
        if not _is_name(word):
            continue
        if text[end : match.start()] != " ":
            runs.append([])
        runs[-1].append(word.removesuffix("'s").removesuffix("\u2019s"))
        end = match.end() if runs[-1][-1] == word else len(text)
    return runs


@lru_cache(maxsize=8192)
def _is_name(word: str) -> bool:
    lower = word.lower()
    return word[:1].isupper() and len(word) > 1 and lower not in SMALL and lower not in CALENDAR


def _names_subject(text: str, title: frozenset[str]) -> bool:
    """Return whether a sentence's first words have a headline word, full name, acronym or, without "the", a number."""
    if is_unspaced(text):
        return bool(title & keys(SAYS["topic"].split(text[:_DENSE_OPENING])[0]))
    words = tokens(text) or ("",)
    # Skip an introduction such as "In the autumn of that year,".
    first, comma, rest = text.partition(", ")
    is_article = SAYS["article"].match(words[0])
    is_introduction = words[0].lower() in SMALL and not (is_article or SAYS["indefinite"].match(words[0]))
    if comma and is_introduction and len(tokens(first)) <= _INTRODUCTION:
        words = tokens(rest) or words
        is_article = SAYS["article"].match(words[0])
    opening = words[: _BEHIND_ARTICLE + 1 if is_article else _OPENING]
    names = set(chain.from_iterable(run for run in names_in(text) if len(run) > 1))
    is_counted = not is_article and any(
        word[0].isdigit() and not SAYS["year"].fullmatch(word) and after.lower() not in CALENDAR
        for word, after in pairwise(opening[: _NUMBER + 1])
    )
    return any(key(word) in title or word in names or word[1:].isupper() for word in opening) or is_counted


def _knows_somebody(text: str, title: frozenset[str], document: str) -> bool:
    """Return whether a sentence has only the last name of a person whom the document, but not the headline, names."""
    runs = names_in(text)
    whole = {run[-1] for run in runs if len(run) > 1}
    return any(len(run) == 1 and run[0] in _last_names(document) - whole and key(run[0]) not in title for run in runs)
