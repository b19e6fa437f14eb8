"""Turns Python values into JSON text that Postgres stores unchanged, without NaN, NUL, lone surrogates or huge numbers."""

import json
import re
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

from zeke_jobs.core.bounds import DEEPEST, LARGEST

_DOUBTFUL = re.compile(r"\\u0000|\d{19}")  # NUL, or as many digits as 2**63 - 1 has
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')  # a bracket, or a whole string with the brackets in it
_LONGEST_FLOAT = 330  # characters, without an exponent
_LONGEST_SHOWN = 60

#: A fault has a path in a value, such as ``items[2].url``, and a text.
Fault = tuple[str, str]


class UnfitForJson(ValueError):
    """A value contains a part that JSON or jsonb cannot store. ``path`` says where the part is in the value."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


def encode(value: Any) -> str:
    """Return a value as JSON. Converts UUIDs, times, enums and models. Raises UnfitForJson if jsonb cannot store it."""
    try:
        text = _ENCODER.encode(value)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:  # a lone surrogate raises a ValueError, too
        _search(value, "")  # raises an error with the path
        raise UnfitForJson("", str(error)) from error
    is_doubtful = _DOUBTFUL.search(text) is not None
    if size <= LARGEST and (is_doubtful or size > DEEPEST):  # a short text is neither too deep nor too large
        if is_too_deep(text):
            raise UnfitForJson("", _TOO_DEEP)
        if is_doubtful:
            _search(json.loads(text), "")
        if size + (text.count("e+") + text.count("e-")) * _LONGEST_FLOAT > LARGEST:  # Postgres stores no exponents
            floats: list[str] = []
            json.loads(text, parse_float=floats.append)
            size += sum(len(f"{Decimal(number):f}") - len(number) for number in floats)
    if size > LARGEST:
        raise UnfitForJson("", f"expected at most 1 MiB of JSON, got {size:,} bytes")
    return text


def is_too_deep(text: str, most: int = DEEPEST) -> bool:
    """Return whether a JSON text nests lists and objects deeper than a payload or output may."""
    if text.count("[") + text.count("{") <= most:
        return False
    depth = 0
    for bracket in _BRACKET.findall(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket, 0)
        if depth > most:
            return True
    return False


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"expected a JSON value, got {type(value).__name__}")


_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain)
_TOO_DEEP = f"expected at most {DEEPEST} lists and objects inside each other, got more"


def _search(value: Any, path: str, depth: int = 1) -> None:
    """Raise UnfitForJson with the path of the first part that JSON or jsonb cannot store."""
    if isinstance(value, dict | list | tuple):
        if depth > DEEPEST:
            raise UnfitForJson("", _TOO_DEEP)
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(value, dict) and not isinstance(step, str):
                raise UnfitForJson(path, f"expected text as key, got {step!r} ({type(step).__name__})")
            _search(step, path)
            _search(item, join(path, step), depth + 1)
    elif value is None or isinstance(value, str | int | float):
        if message := _unfit(value):
            raise UnfitForJson(path, message)
    else:
        try:
            plain = _plain(value)
        except TypeError as error:
            raise UnfitForJson(path, str(error)) from error
        _search(plain, path, depth)


def _unfit(value: str | float | None) -> str:
    """Return the reason why JSON or jsonb cannot store a value, or an empty string if both can store the value."""
    if isinstance(value, str):
        if "\0" in value:
            return "expected text without NUL characters, which Postgres cannot store"
        odd = next((at for at, char in enumerate(value) if "\ud800" <= char <= "\udfff"), None)
        return "" if odd is None else f"expected text of whole characters, got a lone surrogate at character {odd}"
    if isinstance(value, float):
        return "" if isfinite(value) else f"expected a finite number, got {value}"
    if value is None or -(2**63) <= value < 2**63:
        return ""
    return f"expected an integer of at most 64 bits, got one of {value.bit_length()}"


def join(path: str, step: str | int) -> str:
    """Return ``path`` extended by a field or an item: ``items`` and 2 become ``items[2]``."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def shown(value: Any) -> str:
    """Return the repr of a value for an error message, cut to one short line."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
