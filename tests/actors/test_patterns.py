"""Patterns from files are grouped for speed; each group matches the same texts as the plain alternatives."""

import re

import pytest

from actors.patterns import _grouped

_TEXTS = (
    "Skip the site, sign up or LOG IN; \u017fkip \u212aey \u0130stanbul \u0131l\u0131k",
    "x foo, a bar; foobar xbar",
    "\u00e9tat etat tat \u00abfoo\u00bb \u5ba3\u4f20 \u041f\u043e\u0434\u043f\u0438\u0441\u044c",
    "]end |end )x b'c' aa cc bcc ac",
)


@pytest.mark.parametrize("flags", [0, re.IGNORECASE])
@pytest.mark.parametrize(
    "lines",
    [
        [r"\b(?:sign|log) (?:up|in)\b", r"\bskip\b|\bfoo", "^x|^skip", "bar"],
        [r"\bk\w+", r"\bi\w+", r"\bs\w*", "\u0131l", "\u017fkip"],
        ["^foo|bar", r"\bfoo|bar"],
        ["\u00e9?tat", "\u00ab?foo", "\u5ba3\u4f20|\u043f\u043e\u0434"],
        ["[]|)]end", "[^])]x", r"\b(?:a|b)?c"],
        [r"(?:a|b)(?P<last>c)", r"\bfoo"],
        [r"(?:b|c)(['c])c\1?", r"\bx"],
    ],
)
def test_grouped_alternatives_find_what_they_find_side_by_side(lines: list[str], flags: int) -> None:
    plain = re.compile("|".join(lines), flags)
    grouped = re.compile("|".join(_grouped(lines, flags)), flags)
    for text in _TEXTS:
        assert [found.start() for found in grouped.finditer(text)] == [found.start() for found in plain.finditer(text)]
