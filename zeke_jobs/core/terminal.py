r"""Makes strangers' text safe for a terminal: control characters become visible escapes."""

import re
from textwrap import indent

# Control characters (C0, DEL, C1), line and paragraph separators, marks of writing direction, lone surrogates.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNFIT_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with ``\x1b`` and the like in place of each such character; ``lines`` keeps line ends and tabs."""
    if lines:
        return _UNFIT_IN_LINES.sub(_escape, text.replace("\r\n", "\n"))
    return _UNFIT.sub(_escape, text)


def visible_but_colours(line: str) -> str:
    """The same for a line of our own processes, but its colours stay."""
    return "".join(part if at % 2 else visible(part) for at, part in enumerate(_COLOUR.split(line)))


def visible_json(document: str) -> str:
    r"""A JSON document with ``\u009b`` and the like in its texts; it says the same."""
    return _UNFIT_IN_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def indented(text: str) -> str:
    """Indent the lines that continue a log line, such as a traceback, so that none of them looks like a log line."""
    return indent(visible(text, lines=True), "    ", lambda _line: True)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _SHORT.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
