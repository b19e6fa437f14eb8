"""Whether the story supports a sentence: its words, causes, denials and reported speech."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from actors.ai.gate.evidence import SMALL, is_unspaced, key, keys, tokens
from actors.ai.gate.names import speakers
from actors.ai.gate.quotations import normal, quoted
from actors.ai.pronouns import THIRD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.ai.gate.evidence import Evidence

SUPPORT = 0.42
"""The share of a sentence's words that the story must have."""

_CAUSE_SUPPORT = 0.5
_LIKE = 0.5  # share of a clause's words that a sentence of the story about the same thing has

_BECAUSE = re.compile(
    r"\b(?:because(?: of)?|due to|caused by|as a result of|owing to|thanks to|since(?! (?:\d|[A-Z][a-z]+ \d"
    r"|then|last|the start))"
    r"|weil|wegen|aufgrund|parce qu[e']|à cause d[eu']|en raison d[eu']|porque|debido a|a causa de|perché"
    r"|omdat|потому что)\s*"
    r"([^,;.:!?]{3,200})",
    re.IGNORECASE,
)
_CAUSED = re.compile(r"\b([^,;.!?]{3,200}?) (?:caused(?! by)|led to|(?:was|is) the (?:cause|reason))\b")
_BECAUSE_UNSPACED = re.compile(r"(?:因为|由于|因為)([^，。、；]{2,})|([^，。、；]{2,}?)(?:が原因|のため|ために|导致)")
_DENIES = (
    "not|no|never|nobody|none|nothing|neither|nor|cannot|can't|don't|doesn't|didn't|won't|isn't|aren't|wasn't"
    "|weren't|hasn't|haven't|"
    "couldn't|wouldn't|shouldn't|nicht|kein|keine|keinen|keiner|keines|keinem|nie|niemand|niemals|weder|ne"
    "|n'a|n'est|n'ont|aucun|aucune|"
    "jamais|personne|nunca|ningún|ninguna|nadie|tampoco|non|niente|geen|niet|не|нет"
)
_DENYING = (
    "den(?:y|ies|ied)|drop(?:s|ped)?|end(?:s|ed)?|ban(?:s|ned)?|stop(?:s|ped)?|refuse[sd]?|reject(?:s|ed)?"
    "|lack(?:s|ed)?|fail(?:s|ed)?|unable|"
    "without|forbids?|prevent(?:s|ed)?|ohne|verbietet|verboten|bestreitet|sans|interdit|sin|prohíbe|niega|negó"
)
_DENIAL = re.compile(rf"(?<![\w'’])(?:{_DENIES})(?![\w'’])", re.IGNORECASE)
_DENIAL_OR_LIKE = re.compile(rf"(?<![\w'’])(?:{_DENIES}|{_DENYING})(?![\w'’])", re.IGNORECASE)
_REFUSAL = re.compile(
    rf"(?<![\w'’])(?:{_DENIES}|den(?:y|ies|ied)|reject(?:s|ed)?|bestreitet|niega|negó)(?![\w'’])", re.IGNORECASE
)
_DENIAL_UNSPACED = re.compile(r"不|没有|未|无法|ない|ません|なかった|ならず|せず")
_CLAUSE = re.compile(
    r"(?:,\s+(?:and|but|while|und|aber|et|mais|y|pero)\s|\s(?:after|when|before|although|nachdem|obwohl"
    r"|après que)\s|;|:\s|[。，、；])"
)
_NOT_YET = re.compile(
    r"\bnot\b[^.;]{0,40}\byet\b|\bno[^.;]{0,30} so far\b|\bnoch nicht\b|\bpas encore\b|\btodavía no\b", re.IGNORECASE
)

_SPEAKS = (
    "says?|said|tells?|told|writes?|wrote|warns?|warned|fears?|feared|thinks?|believes?|doubts?|admits?"
    "|admitted|advises?|advised|argues?|argued|"
    "claims?|claimed|denies|denied|explains?|explained|promises?|promised|praised?|notes?|noted|adds|added"
    "|calls?|called|expects?|"
    "estimates?|estimated|puts?|reports?|reported|announce[sd]?|according to|concludes?|concluded|criticised"
    "|criticized|"
    "sagte?|sagt|erklärte?|warnte?|befürchtet|nannte|nennt|kritisiert\\w*|laut|zufolge|teilte|betonte|"
    "dit|déclaré|déclare|affirme|affirmé|selon|juge|estime|explique|dijo|dice|afirm\\w+|según|anunció|calcula"
    "|teme|advirtió|explicó"
)
_SPEECH = re.compile(rf"\b(?:{_SPEAKS})\b", re.IGNORECASE)
_SPEECH_UNSPACED = re.compile(
    r"^(.{2,14}?)(?:说|表示|担心|指出|认为|称|强调)[:：，,]?(.+)|^(.{2,24}?)は[、,]?(.+)と(?:話|指摘|述べ|語|訴え|主張|説明|批判)"
)
_PRONOUN = re.compile(rf"^\W*(?:{THIRD})\b|\b(?:{THIRD}) (?:\w+ )?(?:{_SPEAKS})\b", re.IGNORECASE)
_NAMED = re.compile(
    r"\s+((?:(?:the|a|an|chief|its?|der|die|le|la"
    r"|el) )*(?:[a-zäöü-]+ ){0,2}[A-Z\u00c0-\u00dd]\w*(?:[ -][A-Z\u00c0-\u00dd]\w*){0,3})(?=[,.;:]|$| (?:of"
    r"|who|from|in|at|von|de|del)\b)"
)

_CHECK = re.compile(
    r"fact[- ]?check|faktencheck|verificaci[oó]n|desinformaci[oó]n|désinformation|\bhoax\b|debunk"
    r"|vrai ou faux|\bbulo\b|"
    r"\b(?:the|this) claim (?:is|was) (?:false|misleading)|verdict:|ファクトチェック|事实核查|辟谣",
    re.IGNORECASE,
)
_CLAIM = re.compile(
    r"^\W*(?:the |viral )?(?:claims?|behauptung|afirmación|affirmation|rumou?r)\W*:|\b(?:posts?|videos?"
    r"|photos?|images?|users|messages?|rumou?rs?)\b"
    r"[^.]{0,60}\b(?:claim|claims|claimed|claiming|say|says|show|shows|allege|alleges|purport\w*)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\W*(?:the |viral )?(?:claims?|behauptung|afirmación|affirmation|rumou?r)\W*:", re.IGNORECASE)
_REFUTED = re.compile(
    r"\b(?:false|fake|untrue|misleading|fabricated|altered|no evidence|baseless|hoax|debunk\w*|rumou?rs?"
    r"|allegedly|supposed\w*|claims?|claimed|"
    r"said to|not|no|never|nobody|neither|another|instead|falsch|nicht|kein\w*|faux|fausse|falso|falsa"
    r"|bulo)\b|不实|虚假|誤り|偽",
    re.IGNORECASE,
)


def unsupported(sentence: str, story: Evidence) -> str | None:
    """A fault if the story has too few words of the sentence."""
    said = {each for each in keys(sentence) if not each[0].isdigit() or each in story.keys}
    share = len(said & story.keys) / len(said) if said else 1.0
    return None if share >= SUPPORT else "it says things of which the story has no word"


def ordered(sentence: str, story: Evidence) -> str | None:
    """A fault if the sentence has words that the story has only in an order to the model."""
    words = keys(sentence) & (keys(story.orders) - story.keys)
    return "it repeats what the page tells a model to say" if words else None


def invented_cause(sentence: str, story: Evidence) -> str | None:
    """A fault if the story has too few words of a cause."""
    patterns = (_BECAUSE_UNSPACED,) if is_unspaced(sentence) else (_BECAUSE, _CAUSED)
    for match in (match for pattern in patterns for match in pattern.finditer(sentence)):
        cause = next(filter(None, match.groups()))
        said = keys(cause)
        if said and len(said & story.keys) / len(said) <= _CAUSE_SUPPORT:
            return f"it names a cause that the story does not: {cause.strip()[:80]}"
    return None


def denied(sentence: str, story: Evidence) -> str | None:
    """A fault if the sentence denies a statement of the story, or states something that the story denies."""
    for clause in filter(None, map(str.strip, _CLAUSE.split(sentence))):
        said = keys(clause)
        if len(said) < 2:
            continue
        if is_unspaced(clause):
            if _turned_unspaced(clause, said, story):
                return "it denies what the story says, or says what the story denies"
            continue
        if found := _turned(clause, said, story):
            return found
    return None


def misattributed(sentence: str, story: Evidence) -> str | None:
    """A fault if the sentence gives a speaker's words to another."""
    if is_unspaced(sentence):
        return _misattributed_unspaced(sentence, story)
    names = {name for name in _speaking(sentence) if name not in story.common}
    said = keys(sentence) - {key(name) for name in names}
    if not names or len(said) < 2:
        return None
    parts = [part for text in story.sentences for part in text.split("; ")]
    told = [len(said & keys(part)) for part in parts]
    most = max(told)
    if most < _LIKE * len(said):
        return None
    quotes = [normal(quote) for quote in quoted(sentence)]
    closest = [at for at, count in enumerate(told) if count == most]
    closest += [at for at, part in enumerate(parts) if any(quote in normal(part) for quote in quotes)]
    if any(names & _speakers_of(at, parts) for at in closest):
        return None
    return f"the story does not say this of {' '.join(sorted(names)).title()}"


def _speaking(sentence: str) -> set[str]:
    """The names of a sentence's speakers: after the verb of speaking, else before it."""
    for quote in quoted(sentence):
        sentence = sentence.replace(quote, " ")
    match = _SPEECH.search(sentence)
    if not match:
        return set()
    behind = _NAMED.match(sentence, match.end())
    found = speakers(behind.group(1) if behind else _without_first(sentence[: match.start()]))
    return {name.lower() for name in found}


def told_as_fact(sentence: str, story: Evidence) -> str | None:
    """A fault if the story is a fact-check and the sentence states the refuted claim as a fact."""
    if not any(_CHECK.search(text) for text in story.sentences[:8]):
        return None
    if _LABEL.match(sentence):
        return "it tells as a fact what the story calls a claim"
    claims = [its for text, its in zip(story.sentences, story.keys_of, strict=True) if _CLAIM.search(text)]
    said = keys(sentence)
    if _REFUTED.search(sentence) or not any(said and len(said & claim) >= 0.6 * len(said) for claim in claims):
        return None
    return "it tells as a fact what the story calls a claim"


def _turned(clause: str, said: frozenset[str], story: Evidence) -> str | None:
    pairs = list(zip(story.sentences, story.keys_of, strict=True))
    for word in _behind(clause, _DENIAL):
        rest = said - {word}
        alike = [text for text, its in pairs if word in its and len(rest & its) >= max(1, _LIKE * len(rest))]
        if alike and not any(word in _behind(text, _DENIAL_OR_LIKE) or _denies_the_same(text, rest) for text in alike):
            return f"it denies what the story says: {clause[:80]}"
    if _DENIAL_OR_LIKE.search(clause):
        return None
    for text, its in pairs:
        if len(said & its) < max(2, 0.6 * len(said)) or _NOT_YET.search(text):
            continue
        if words := set(_behind(text, _REFUSAL)) & said:
            free = [other for other, others in pairs if others >= words and not words & set(_behind(other, _REFUSAL))]
            if not free:
                return f"it says what the story denies: {clause[:80]}"
    return None


def _denies_the_same(text: str, said: frozenset[str]) -> bool:
    """Whether a clause of a story's sentence has a denial and all words that an answer denies, as "waited no longer"."""
    return any(said <= keys(part) and _DENIAL.search(part) for part in filter(None, _CLAUSE.split(text)))


def _behind(text: str, denial: re.Pattern[str]) -> Iterator[str]:
    """The keys of the words that each denial may deny: the next one, and for verbs of denying the next three."""
    for match in denial.finditer(text):
        reach = 3 if match.group().lower().startswith(("den", "rej", "neither", "best", "nieg", "neg")) else 1
        following = tokens(re.split(r"[.;:!?]", text[match.end() : match.end() + 80])[0])[:6]
        yield from [
            key(word)
            for word in following
            if word.lower() not in SMALL and len(word) > 1 and not denial.fullmatch(word)
        ][:reach]


def _turned_unspaced(clause: str, said: frozenset[str], story: Evidence) -> bool:
    clauses = [part for text in story.sentences for part in _CLAUSE.split(text) if part]
    alike = [part for part in clauses if len(said & keys(part)) >= 0.6 * len(said)]
    mine = bool(_DENIAL_UNSPACED.search(clause))
    return bool(alike) and all(bool(_DENIAL_UNSPACED.search(part)) != mine for part in alike)


def _speakers_of(at: int, parts: Sequence[str]) -> set[str]:
    """Names in a part of the story. If its speaker is a pronoun or missing, also the names of the part before."""
    part = parts[at]
    found = {name.lower() for name in speakers(_without_first(part))}
    pronoun = _PRONOUN.search(part)
    is_open = not found and (not _SPEECH.search(part) or bool(quoted(part)))
    if pronoun is not None:
        is_open = not speakers(_without_first(part[: pronoun.start()]))
    for back in range(at - 1, max(-1, at - 4), -1):
        before = {name.lower() for name in speakers(_without_first(parts[back]))}
        if is_open and before:
            return found | before
    return found


def _without_first(sentence: str) -> str:
    """A sentence without its first word, if that has its capital only for its place."""
    first = re.match(r"\W*(\w+)", sentence)
    return sentence[first.end() :] if first and first.group(1).lower() in SMALL else sentence


def _misattributed_unspaced(sentence: str, story: Evidence) -> str | None:
    match = _SPEECH_UNSPACED.match(sentence)
    if not match:
        return None
    who, what = (part for part in match.groups() if part)
    names, said = keys(who), keys(what)
    told = [len(said & its) for its in story.keys_of]
    if not names or not said or max(told) < _LIKE * len(said):
        return None
    closest = story.keys_of[told.index(max(told))]
    return None if len(names & closest) >= 0.5 * len(names) else f"the story does not say this of {who}"
