"""Lines of a text that belong to its page: the title above it, links to other articles, and the lines below each article."""

import re

from actors.engine.text import letters

_ELSEWHERE = re.compile(
    r"(?:related|read more|see also|read also|also read|recommended|lesen sie auch|mehr zum thema|à? ?lire aussi|lee también"
    r"|lea también|leia (?:também|mais)|leggi anche|lees ook|(?:czytaj|zobacz) także|相关阅读|関連記事)\s*[:\uff1a]"
    r"|(?:read more|learn more|advertisement|table of contents|story continues below.*)$",
    re.IGNORECASE,
)
"""Begins a line that leads to another article, wherever it stands."""
_BELOW = re.compile(
    r"\bsubscribe (?:to|now|today|here)|\bnewsletters?\b|\bsign(?:ing)? up (?:for|to|here|now|today)"
    r"|\bfollow (?:us|me|him|her|them|\S+)(?: \S+)? on\b|\blike us on\b|\bclick here\b|\ball rights reserved|©"
    r"|\b(?:earn|gets?|receive) an? (?:affiliate )?(?:commission|share)|\baffiliate links?\b|\bleave a (?:comment|reply)"
    r"|comments?$|\bhave a tip\b|\bmay be reached at\b|\bunsubscribe\b|\bthe views expressed\b"
    r"|\babonnier|\babonnez-vous|\binscrivez-vous|\bsuscríbe|\bassine\b|\biscriviti\b|\bzapisz się\b|\balle rechte vorbehalten"
    r"|\btous droits réservés|\btodos los derechos reservados|\btodos os direitos reservados",
    re.IGNORECASE,
)
"""Marks a line that asks for something or states rights, as pages do below an article."""
_LONGEST = 400  # characters of such a line


def without_furniture(text: str, titles: set[str], links: set[str], least: int) -> str:
    """A text, or its markdown, without the lines of its page; unchanged if fewer than ``least`` characters would remain.

    The page's ``titles`` and headings of the first level, and the texts of its ``links``, are given as their ``letters``.
    """
    lines = text.split("\n")
    start = next((at for at, line in enumerate(lines) if line.strip() and letters(line) not in titles), 0)
    within = lines[start : _end(lines, start, links)]
    kept = (line for line in within if len(line) > _LONGEST or not _ELSEWHERE.match(line.strip(" \t-*_#>")))
    left = "\n".join(kept).strip()
    return left if len(left) >= least else text


def _end(lines: list[str], start: int, links: set[str]) -> int:
    """Index of the first line below the article."""
    for at in range(len(lines) - 1, start, -1):
        line = lines[at]
        is_below = letters(line) in links or (len(line) <= _LONGEST and _BELOW.search(line))
        if line.strip(" \t-*_=") and not is_below:
            return at + 1
    return start + 1
