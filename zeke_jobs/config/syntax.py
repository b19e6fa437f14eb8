"""Reads plain YAML scalars, refuses the traps among them, and explains (or repairs) what PyYAML cannot read."""

import math
import re
from dataclasses import dataclass
from typing import Any

from yaml import MarkedYAMLError, YAMLError
from yaml.error import Mark
from yaml.reader import ReaderError

from zeke_jobs.config.places import Span, split_lines

_CRON_HELP = "put a cron line in quotes: "
_INDICATORS = {
    "*": "which starts a YAML alias",
    "@": "which YAML reserves",
    "`": "which YAML reserves",
    "%": "which YAML reserves",
}


@dataclass(frozen=True)
class Fault:
    """The place and reason of a YAML failure. ``bare`` is the value that needs quotes, if that is the fault."""

    span: Span
    message: str
    help: str = ""
    bare: str = ""


def explain(error: YAMLError, text: str) -> Fault:
    """The fault in an operator's words."""
    if isinstance(error, ReaderError):
        return _unreadable(error, text)
    assert isinstance(error, MarkedYAMLError)
    assert error.problem_mark is not None
    mark, problem, context = error.problem_mark, error.problem or "", error.context or ""
    if (bare := _bare(problem, context, mark, text)) is not None:
        return bare
    for start, message, help_, at_context in _MEANINGS:
        if start in f"{context}: {problem}":
            is_open = " flow " in context and error.context_mark and error.context_mark.line < mark.line
            place = error.context_mark if (at_context or is_open) and error.context_mark else mark
            return Fault(first(place), message, help_)
    begun = f" that starts in line {error.context_mark.line + 1}" if error.context_mark else ""
    return Fault(first(mark), f"expected YAML, got something else: {problem}", f"{context}{begun}" if begun else "")


def mend(text: str, fault: Fault) -> str | None:
    """The text with the bare value in quotes, so that the rest can be checked; None if quotes would not help."""
    if not fault.bare:
        return None
    lines = split_lines(text)
    line, column = fault.span.line - 1, fault.span.column - 1
    head = lines[line][:column]
    if "{" in head or "[" in head:
        return None
    # Without trailing spaces and a comment, because quotes would move their places.
    lines[line] = head + "'" + fault.bare.replace("'", "''") + "'"
    return "\n".join(lines)


def _bare(problem: str, context: str, mark: Mark, text: str) -> Fault | None:
    """A value that starts with a character reserved by YAML."""
    line = "".join(split_lines(text)[mark.line : mark.line + 1])
    column = mark.column
    if "while scanning an alias" in context:
        column = line.rfind("*", 0, mark.column + 1)
    elif "cannot start any token" not in problem:
        return None
    if column < 0 or column >= len(line) or line[column] not in _INDICATORS:
        return None
    value = re.split(r"\s#", line[column:], maxsplit=1)[0].rstrip()
    value = value if "{" not in line[:column] else re.split(r", \w+:|\}", value, maxsplit=1)[0].rstrip()
    sign = line[column]
    help_ = (_CRON_HELP if sign in "*@" else "put the value in quotes: ") + f'"{value}"'
    span = Span(mark.line + 1, column + 1, mark.line + 1, column + 1 + len(value))
    return Fault(span, f"expected a value, got a bare {sign}, {_INDICATORS[sign]}", help_, value)


_INDENT = "indent with spaces, two for each level, and keys of one mapping by the same number"
_MEANINGS = (
    ("found character '\\t'", "expected spaces, got a tab", "YAML takes no tabs for indentation", False),
    (
        "mapping values are not allowed",
        "expected the end of the value, got another ':'",
        "put a value that contains ': ' in quotes, or check the indentation of this line",
        False,
    ),
    ("could not find expected ':'", "expected 'key: value', got no ':'", "put ': ' after the key", True),
    ("while scanning a quoted scalar", "expected a closing quote, got none", "close it on this line", True),
    (
        "while scanning a double-quoted scalar",
        "expected a known escape after the backslash, got an unknown one",
        "in single quotes a backslash stands for itself",
        False,
    ),
    (
        "flow sequence: expected",
        "expected ',' or ']' after an item, got neither",
        "close the list with ], and put items with , or : in quotes",
        False,
    ),
    (
        "flow mapping: expected",
        "expected ',' or '}' after a value, got neither",
        "close the mapping with }, and put values with , or : in quotes",
        False,
    ),
    ("block mapping: expected", "expected a key at the level of those before, got something else", _INDENT, False),
    ("block collection: expected", "expected '- ' for the next item, got something else", _INDENT, False),
    ("expected the node content", "expected a value, got none", "write the value, or put it in quotes", False),
)


def _unreadable(error: ReaderError, text: str) -> Fault:
    before = split_lines(text[: error.position])
    line, column = len(before), len(before[-1]) + 1
    fault = f"expected text, got the character U+{error.character:04X}"
    return Fault(Span(line, column, line, column + 1), fault, "remove it")


def first(mark: Any) -> Span:
    """The character at a mark of the parser."""
    return Span(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)


_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_SWITCH = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_HEXADECIMAL = re.compile(r"[-+]?0x[0-9a-fA-F]+", re.ASCII)
_BINARY = re.compile(r"[-+]?0b[01_]+", re.ASCII)
_OCTAL = re.compile(r"[-+]?0o?[0-9]+", re.ASCII)
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", re.ASCII)
_UNDERSCORED = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF|nan|NaN|NAN)", re.ASCII)
_MOST_DIGITS = 18


class TrapError(ValueError):
    """A plain scalar that YAML reads differently from people. ``args`` is the message and the help."""


def meaning(text: str) -> Any:
    """The value of a plain scalar. Raises TrapError if people and YAML would read it differently."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    _refuse_traps(text)
    if _WHOLE.fullmatch(text):
        return int(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if _REAL.fullmatch(text):
        return float(text)
    return text


def _refuse_traps(text: str) -> None:
    quoted = f'"{text}"'
    is_real, is_whole = _REAL.fullmatch(text), _WHOLE.fullmatch(text)
    if (says := _SWITCH.get(text.lower())) is not None:
        raise TrapError(
            f"expected {says}, got {text}, which some YAML readers take for {says} and others for a word",
            f"write {says}; or {quoted}, in quotes, where the word is meant",
        )
    if _SEXAGESIMAL.fullmatch(text):
        fault = f"expected text in quotes, got a bare {text}, which YAML reads as a number in base 60"
        raise TrapError(fault, f"write {quoted}")
    if _OCTAL.fullmatch(text) and not is_whole:
        plain = text.lstrip("+-0o") or "0"
        fault = f"expected a number without leading zeros, got {text}, which YAML reads in base 8"
        raise TrapError(fault, f"write {plain} for the number, {quoted} for the text")
    if _BINARY.fullmatch(text) or _UNDERSCORED.fullmatch(text):
        fault = f"expected a number in plain digits, got {text}, which only some YAML readers take for one"
        raise TrapError(fault, f"write the number in digits, or {quoted} for the text")
    if _NOT_FINITE.fullmatch(text) or (is_real and math.isinf(float(text))):
        raise TrapError(f"expected a finite number, got {text}", f"write {quoted} for the text")
    if len(text) > _MOST_DIGITS and (is_whole or _HEXADECIMAL.fullmatch(text)):
        fault = f"expected a number of at most {_MOST_DIGITS} digits, got {len(text)} digits"
        raise TrapError(fault, "write it in quotes if it is an identifier")
