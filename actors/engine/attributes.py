"""Bounds the attributes of a tag, because parsers compare each of them with all others."""

from __future__ import annotations

import re

from actors.engine.contract import EngineError

MOST_ATTRIBUTES = 10_000
"""For one tag. Text in a script that looks like a tag counts too, so this is far above any real page."""

# Each character is looked at once: a quote that is not closed reaches to the end.
_QUOTED = r"\"[^\"]*+\"?|'[^']*+'?"
_TAG = re.compile(rf"<[A-Za-z](?:[^\"'<>]++|{_QUOTED})*+")
_VALUE = re.compile(_QUOTED)


def check_attributes(markup: str, url: str) -> None:
    """Refuse a document with a tag of too many attributes.

    Raises:
        EngineError: ``too_large``.
    """
    for tag in _TAG.finditer(markup):
        if tag.end() - tag.start() > 2 * MOST_ATTRIBUTES:
            bare = _VALUE.sub("", tag.group())
            if max(bare.count("="), len(bare.split())) > MOST_ATTRIBUTES:
                raise EngineError("too_large", f"{url} has a tag of more than {MOST_ATTRIBUTES} attributes")
