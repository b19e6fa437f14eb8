"""Flattens a configuration to dotted keys with values as in jobs.yaml; plans compare these."""

import json
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any

from zeke_jobs.config.entries import Budget, Rate
from zeke_jobs.config.fields import accepted_keys
from zeke_jobs.config.keys import Keys
from zeke_jobs.config.limits import Limit
from zeke_jobs.config.models import Config, Middleware, Service, Task
from zeke_jobs.config.schedules import NamedSchedule
from zeke_jobs.core.durations import format_duration
from zeke_jobs.payload.json_text import join

Flat = dict[str, Any]
#: Values that handlers read: a null here means the same as a missing key.
_OF_HANDLERS = ("settings.", "cron.payload.")


class Null(StrEnum):
    """An explicit null that means something else than a missing key."""

    NULL = "null"


def flat(one: Task | Limit) -> Flat:
    """The values of a task or a limit by dotted key, without unset ones."""
    return {
        key: _kept(value)
        for key, value in _pairs("", one)
        if key not in ("id", "name") and (key.startswith(_OF_HANDLERS) or value not in (None, "", [], {}))
    }


def service(one: Service | Middleware) -> Flat:
    """The values of a service or a middleware by dotted key, including its own settings."""
    return {"use": one.use, **{key: _kept(value) for key, value in _pairs("", one.settings)}}


def top(config: Config) -> Flat:
    """The values at the top of the file that belong to no task."""
    named = {"migrations": list(config.migrations), "middleware": [service(one) for one in config.middleware]}
    return {key: value for key, value in named.items() if value}


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same to their reader: ``1`` differs from ``true`` and from ``1.0``."""
    return type(one) is type(other) and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _kept(value: Any) -> Any:
    return Null.NULL if value is None else value


def _pairs(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Rate | Budget):
        yield key, str(value)
    elif isinstance(value, timedelta):
        yield key, format_duration(value)
    elif isinstance(value, Keys):
        short = value.short_form[0] if value.short_form and value.short_form[1] is not list else None
        for name, written in zip(type(value).model_fields, accepted_keys(type(value)), strict=True):
            yield from _pairs(key if name in (short, value.spread) else join(key, written), getattr(value, name))
    elif isinstance(value, dict) and (value or not key):
        for name, inner in value.items():
            yield from _pairs(join(key, name), inner)
    elif isinstance(value, tuple) and value and isinstance(value[0], NamedSchedule):
        for one in value:
            yield from _pairs(join(key, one.name), one)
    elif isinstance(value, tuple | list):
        yield key, list(value)
    else:
        yield key, value
