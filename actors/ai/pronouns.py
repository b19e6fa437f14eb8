"""Pronouns and articles of the languages of Western Europe, mostly as alternatives of a pattern."""

from __future__ import annotations

SUBJECTS = "he|she|they|er|sie|elles?|ils|ella|ellos|ellas|lui|ele|ela|eles|elas"
PERSONS = f"{SUBJECTS}|him|them|es|ihn|ihm"
"""Third persons, as subject or object, that are not another word in a language nearby."""

THIRD = f"{SUBJECTS}|it|es|il|él"
"""Third persons and things, as subject."""

POINTING = "that|this|these"
FIRST = "I|We|My|Our|Ich|Wir|Mein|Unsere?|Je|Nous|Notre|Yo|Nosotros"
"""Speakers of themselves, as a sentence begins."""

READER = (
    r"[Yy]ou(?:r|rs|rself)?|[Ee]uch|[Ee]ure?[mnrs]?|[Dd]ich|[Dd]eine?[mnrs]?|(?<=[a-zäöüß,] )(?:Sie|Ihnen|Ihre?[mnrs]?)"
    r"|[Vv]ous|[Vv]otre|[Vv]os|[Uu]sted(?:es)?|[Vv]oi|[Vv]ostr[oaie]|[Vv]ocês?|[Jj]ij|[Jj]ouw|[Tt]w[oó]j\w*|[Ww]asz\w*"
)
"""Second persons that are not another word in a language nearby."""

DEMONSTRATIVES = "this|these|diese[mnrs]?|cette|cet|quest[aeio]|est[aeo]s?|es[ae]s?|esses?|essas?|هذا|هذه"
"""Before a noun."""

HERE = {"en": "here", "de": "hier", "fr": "ici", "es": "aquí", "it": "qui", "pt": "aqui"}
ARTICLES = {
    "en": "The",
    "de": "Der|Die|Das",
    "fr": "Le|La|Les|L['\u2019]",
    "es": "El|La|Los|Las",
    "it": "Il|Lo|La|Gli|Le|I|L['\u2019]",
    "pt": "O|A|Os|As",
}
"""The definite ones, by language, as they begin a sentence."""

_LINKS = """
    of in for from behind with between to on at by as and
    der von für aus im am zu mit de del des du da do das dos d en para di della dei delle per em
"""
LINKS = frozenset(_LINKS.split())
"""What explains a noun begins with one of them, or directly behind the noun with one of ``RELATIVES``."""

RELATIVES = frozenset({"that", "who", "which", "que", "qui", "che"})
