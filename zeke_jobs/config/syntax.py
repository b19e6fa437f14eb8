"""Reads unquoted YAML values, refuses ambiguous values, and explains or repairs text that PyYAML cannot read."""

import math
import re
from typing import Any, NamedTuple

from yaml import MarkedYAMLError, YAMLError
from yaml.error import Mark
from yaml.reader import ReaderError

from zeke_jobs.config.entries import EntryError

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_RESERVED = dict.fromkeys("@`%", "which YAML reserves") | {"*": "which starts a YAML alias"}


class Span(NamedTuple):
    """Describes a part of a YAML text. Lines and columns count from 1. The end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


def span(start: Any, end: Any = None) -> Span:
    """Return the span between two marks of the YAML parser. Without ``end``, it has only the character at ``start``."""
    last = (start.line + 1, start.column + 2) if end is None else (end.line + 1, end.column + 1)
    return Span(start.line + 1, start.column + 1, *last)


class Fault(NamedTuple):
    """Describes a YAML error. If quotes around a value correct it, ``mended`` is the file's text with the quotes."""

    span: Span
    message: str
    help: str = ""
    mended: str | None = None


def split_lines(text: str) -> list[str]:
    """Return the lines of a text as YAML counts them. An empty text has one line."""
    return _BREAK.split(text)


def explain(error: YAMLError, text: str) -> Fault:
    """Return PyYAML's error as a fault that an operator understands."""
    if isinstance(error, ReaderError):
        before = split_lines(text[: error.position])
        line, column = len(before), len(before[-1]) + 1
        fault = f"expected text, got the character U+{error.character:04X}"
        return Fault(Span(line, column, line, column + 1), fault, "remove it")
    assert isinstance(error, MarkedYAMLError)
    assert error.problem_mark is not None
    mark, begin, problem, context = error.problem_mark, error.context_mark, error.problem or "", error.context or ""
    if (bare := _bare(problem, context, mark, text)) is not None:
        return bare
    for start, message, help_ in _MEANINGS:
        if start in f"{context}: {problem}":
            is_open = " flow " in context and begin and begin.line < mark.line
            return Fault(span(begin if begin and (is_open or start in _SHOWN_AT_BEGIN) else mark), message, help_)
    help_ = f"{context} that starts in line {begin.line + 1}" if begin else ""
    return Fault(span(mark), f"expected YAML, got something else: {problem}", help_)


def _bare(problem: str, context: str, mark: Mark, text: str) -> Fault | None:
    """Return the fault of an unquoted value that starts with a character reserved by YAML, or None."""
    lines = [*split_lines(text), ""]
    line, column = lines[mark.line], mark.column
    if "while scanning an alias" in context:
        column = line.rfind("*", 0, mark.column + 1)
    elif "cannot start any token" not in problem:
        return None
    sign = line[column : column + 1] if column >= 0 else ""
    if sign not in _RESERVED:
        return None
    head, value = line[:column], re.split(r"\s#", line[column:], maxsplit=1)[0].rstrip()
    value = value if "{" not in head else re.split(r", \w+:|\}", value, maxsplit=1)[0].rstrip()
    mended = None
    if "{" not in head and "[" not in head:
        # Drop trailing spaces and a trailing comment, because the added quotes would move them to other columns.
        lines[mark.line] = head + "'" + value.replace("'", "''") + "'"
        mended = "\n".join(lines[:-1])
    help_ = f'put {"a cron line" if sign in "*@" else "the value"} in quotes: "{value}"'
    at = Span(mark.line + 1, column + 1, mark.line + 1, column + 1 + len(value))
    return Fault(at, f"expected a value, got a bare {sign}, {_RESERVED[sign]}", help_, mended)


_QUOTES = "put a value that contains ': ' in quotes, or check the indentation of this line"
_INDENT = "indent with spaces, two for each level, and keys of one mapping by the same number"
_ESCAPE = "expected a known escape after the backslash, got an unknown one"
_LIST_END = "close the list with ], and put items with , or : in quotes"
_MAPPING_END = "close the mapping with }, and put values with , or : in quotes"
_MEANINGS = (
    ("found character '\\t'", "expected spaces, got a tab", "YAML takes no tabs for indentation"),
    ("mapping values are not allowed", "expected the end of the value, got another ':'", _QUOTES),
    ("could not find expected ':'", "expected 'key: value', got no ':'", "put ': ' after the key"),
    ("while scanning a quoted scalar", "expected a closing quote, got none", "close it on this line"),
    ("while scanning a double-quoted scalar", _ESCAPE, "in single quotes a backslash has no special meaning"),
    ("flow sequence: expected", "expected ',' or ']' after an item, got neither", _LIST_END),
    ("flow mapping: expected", "expected ',' or '}' after a value, got neither", _MAPPING_END),
    ("block mapping: expected", "expected a key at the level of the keys before, got something else", _INDENT),
    ("block collection: expected", "expected '- ' for the next item, got something else", _INDENT),
    ("expected the node content", "expected a value, got none", "write the value, or put it in quotes"),
)
"""Parts of PyYAML's messages, with our messages and the help."""
_SHOWN_AT_BEGIN = ("could not find expected ':'", "while scanning a quoted scalar")


_CONSTANTS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_CONSTANTS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_SWITCH = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_HEXADECIMAL = re.compile(r"[-+]?0x[0-9a-fA-F]+", re.ASCII)
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_MOST_DIGITS = 18
_TRAPS = (
    (
        r"(?i:yes|on|no|off)",
        "expected {says}, got {text}, which some YAML readers take for {says} and others for a word",
        'write {says}; or "{text}", in quotes, where the word is meant',
    ),
    (
        r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?",
        "expected text in quotes, got a bare {text}, which YAML reads as a number in base 60",
        'write "{text}"',
    ),
    (
        r"[-+]?0(o[0-9]+|[0-9]+)",
        "expected a number without leading zeros, got {text}, which YAML reads in base 8",
        'write {plain} for the number, "{text}" for the text',
    ),
    (
        r"[-+]?(0b[01_]+|[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?)",
        "expected a number in plain digits, got {text}, which only some YAML readers take for one",
        'write the number in digits, or "{text}" for the text',
    ),
    (r"[-+]?\.(inf|Inf|INF|nan|NaN|NAN)", "expected a finite number, got {text}", 'write "{text}" for the text'),
    (
        rf"(?=.{{{_MOST_DIGITS + 1}}})({_WHOLE.pattern}|{_HEXADECIMAL.pattern})",
        f"expected a number of at most {_MOST_DIGITS} digits, got {{digits}} digits",
        "write it in quotes if it is an identifier",
    ),
)


def meaning(text: str) -> Any:
    """Return the value of an unquoted YAML scalar. Raises EntryError if people and YAML would read it differently."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    for pattern, fault, help_ in _TRAPS:
        if re.fullmatch(pattern, text, re.ASCII):
            said = {"text": text, "says": _SWITCH.get(text.lower()), "digits": len(text)}
            plain = text.lstrip("+-0o") or "0"
            raise EntryError(fault.format(**said, plain=plain), help_.format(**said, plain=plain))
    if _WHOLE.fullmatch(text):
        return int(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if not _REAL.fullmatch(text):
        return text
    if math.isinf(float(text)):
        raise EntryError(f"expected a finite number, got {text}", f'write "{text}" for the text')
    return float(text)
