"""Reads plain YAML scalars, and refuses the ones that YAML 1.1 reads differently from people."""

import math
import re
from typing import Any

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
    """The value of a plain scalar.

    Raises:
        TrapError: people and YAML would read it differently.
    """
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
