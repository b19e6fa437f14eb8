"""Formats names, values and faults for messages, and makes untrusted text safe for a terminal."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from textwrap import indent
from typing import Any

_LONGEST_QUOTE = 50


def quote(text: str) -> str:
    """Return the text in quotes, shortened and without characters that can control a terminal."""
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return f"'{printable(short)}'"


def describe(value: Any) -> str:
    """Describe a value of jobs.yaml in words that the file's author knows, such as "a mapping"."""
    match value:
        case None:
            return "nothing"
        case str():
            return quote(value) if value else "empty text"
        case dict():
            return "a mapping"
        case list():
            return "a list"
    text = str(value)[:_LONGEST_QUOTE]
    return text.lower() if isinstance(value, bool) else printable(text)


def suggest(name: str, accepted: Iterable[str], *, what: str = "accepted") -> str:
    """Return a line of help: the ``accepted`` name that is most like ``name``, or all names if none is similar."""
    names = [str(one) for one in accepted]
    if near := nearest(name, names):
        return f"did you mean {quote(near)}?"
    return f"{what}: {', '.join(names)}" if names else ""


def nearest(name: str, accepted: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """Return the ``accepted`` name that is most like ``name``, or None if none is similar. Equal case is preferred."""
    names = list(accepted)
    by_lower = {one.lower(): one for one in reversed(names)}
    same_case = get_close_matches(name, names, n=1, cutoff=likeness)
    any_case = get_close_matches(name.lower(), by_lower, n=1, cutoff=likeness)
    return same_case[0] if same_case else by_lower[any_case[0]] if any_case else None


def printable(text: str) -> str:
    """Return the text with a replacement character for each character that can control a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "�" for char in text)


_WIDEST = 100  # characters of a line at fault


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """Describes one fault in a file, with line and column. ``str()`` formats the fault for people."""

    file: str  # name of the text
    line: int  # from 1
    column: int  # from 1, in characters
    message: str  # "expected X, got Y"
    help: str = ""  # the remedy, or ""
    length: int = 1  # number of characters at fault
    source: str = ""  # the line at fault

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: error: {self.message}"
        gutter = f"{self.line:>5} | "
        # Of a long line, show only the part around the fault.
        start = max(0, self.column - 1 - _WIDEST // 2) if len(self.source) > _WIDEST else 0
        before, shown = self.column - 1 - start, self.source[start : start + _WIDEST]
        carets = "^" * max(1, min(self.length, len(shown) - before))
        blank = "".join("\t" if char == "\t" else " " for char in shown[:before])
        text = head
        if self.source.strip():
            text += f"\n{gutter}{printable(shown)}\n{' ' * (len(gutter) - 2)}| {blank}{carets}"
        return f"{text}\n  help: {self.help}" if self.help else text


# The patterns match controls (C0, DEL, C1), line and paragraph separators, direction marks and lone surrogates.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNFIT_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return the text with escapes such as ``\x1b`` for control characters. ``lines`` keeps line ends and tabs."""
    if lines:
        return _UNFIT_IN_LINES.sub(_escape, text.replace("\r\n", "\n"))
    return _UNFIT.sub(_escape, text)


def visible_but_colours(line: str) -> str:
    """Do the same as ``visible``, but keep colours. The line must come from a process of zeke_jobs."""
    return "".join(part if at % 2 else visible(part) for at, part in enumerate(_COLOUR.split(line)))


def visible_json(document: str) -> str:
    r"""Return a JSON document with escapes such as ``\u009b`` for control characters. Its value does not change."""
    return _UNFIT_IN_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def indented(text: str) -> str:
    """Indent the lines that continue a log line, such as a traceback, so that none of them looks like a log line."""
    return indent(visible(text, lines=True), "    ", lambda _line: True)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _SHORT.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
