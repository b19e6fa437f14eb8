"""Python values to JSON text that Postgres keeps as it is: no NaN, no NUL, no lone surrogates, no boundless numbers."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

#: Largest payload and largest output, in bytes of UTF-8.
LARGEST = 1024 * 1024

_MOST_DIGITS = 19  # 2**63 - 1 has as many
_DOUBTFUL = re.compile(r"\\u0000|\d{19}")
_LONGEST_SHOWN = 60

#: From a place in a value, such as ``items[2].url``, to what is wrong there.
Fault = tuple[str, str]


class UnfitForJson(ValueError):
    """A value that JSON, or jsonb, cannot keep. ``path`` is its place in the whole."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


def encode(value: Any) -> str:
    """The JSON text of ``value``; UUIDs, times, enums and pydantic models become what JSON has for them.

    Raises:
        UnfitForJson: something in it has no place in JSON or in jsonb, or it is larger than ``LARGEST``.
    """
    try:
        text = _ENCODER.encode(value)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        # json says what is wrong but not where; UnicodeEncodeError is a ValueError.
        raise _located(value, error) from error
    if size > LARGEST:
        raise UnfitForJson("", f"expected at most 1 MiB of JSON, got {size:,} bytes")
    if _DOUBTFUL.search(text) is not None:
        _search(json.loads(text), "")
    return text


def encode_again(value: Any) -> str:
    """The JSON text of what was read from ``encode``'s, which needs no second look."""
    return _ENCODER.encode(value)


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    raise TypeError(f"expected a JSON value, got {type(value).__name__}")


_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _located(value: Any, error: Exception) -> UnfitForJson:
    if isinstance(error, RecursionError):
        return UnfitForJson("", "expected a value of modest depth, got one nested too deeply, or in itself")
    try:
        _search(value, "")
    except UnfitForJson as found:
        return found
    except RecursionError:
        return UnfitForJson("", "expected a value of modest depth, got one nested too deeply, or in itself")
    return UnfitForJson("", str(error))


def _search(value: Any, path: str) -> None:
    """Walk the whole value to find and name the place that is unfit."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise UnfitForJson(path, f"expected text as key, got {key!r} ({type(key).__name__})")
            _search_text(key, path)
            _search(item, join(path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _search(item, f"{path}[{index}]")
    elif isinstance(value, str):
        _search_text(value, path)
    elif isinstance(value, int | float):
        _search_number(value, path)
    elif value is not None:
        try:
            plain = _plain(value)
        except TypeError as error:
            raise UnfitForJson(path, str(error)) from error
        _search(plain, path)


def _search_number(value: float, path: str) -> None:
    if isinstance(value, float):
        if not isfinite(value):
            raise UnfitForJson(path, f"expected a finite number, got {value}")
    elif not -(2**63) <= value < 2**63:
        raise UnfitForJson(path, f"expected an integer of at most 64 bits, got one of {value.bit_length()}")


def _search_text(text: str, path: str) -> None:
    if "\0" in text:
        raise UnfitForJson(path, "expected text without NUL characters, which Postgres cannot store")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"expected text of whole characters, got a lone surrogate at character {error.start}"
        raise UnfitForJson(path, message) from error


def join(path: str, key: str) -> str:
    """The place of a field below ``path``."""
    return f"{path}.{key}" if path else key


def shown(value: Any) -> str:
    """A value as an error message shows it: its Python form, cut to one short line."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
