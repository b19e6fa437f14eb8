"""Durations as fields of pydantic models. Code that only reads and writes durations does not import pydantic."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from zeke_jobs.core.durations import PATTERN, format_duration, parse_duration


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"expected a duration such as 30s, 5m or 1h30m, got {value!r}")


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^(?=.){PATTERN}$", "examples": ["30s", "5m", "1h30m"]}),
]
"""The type of a duration field in a pydantic model; its Python value is a ``timedelta``."""
