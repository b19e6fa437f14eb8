"""What is in force as flat values, written as people write them in jobs.yaml: the ground on which a plan compares."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from zeke_jobs.config.models import Rate
from zeke_jobs.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zeke_jobs.config.models import Config, Limit, Service, Task

Flat = dict[str, Any]
_SHORT = {"concurrency.limit": "concurrency", "cron.at": "cron", "unique.while_": "unique.while"}


def task(one: Task) -> Flat:
    """A task's values by dotted key; what it leaves open is left out."""
    return _flat(one, {"id"})


def limit(one: Limit) -> Flat:
    """A shared limit's values by key."""
    return _flat(one, {"name"})


def service(one: Service) -> Flat:
    """A service's values by dotted key, its own settings among them."""
    return {"use": one.use, **dict(_pairs("", one.settings))}


def top(config: Config) -> Flat:
    """The values at the top of the file that no task carries."""
    return {"migrations": list(config.migrations)} if config.migrations else {}


def _flat(one: BaseModel, without: set[str]) -> Flat:
    pairs: dict[str, Any] = {}
    for name in type(one).model_fields:
        if name not in without:
            pairs.update(_pairs(name, getattr(one, name)))
    return {_SHORT.get(key, key): value for key, value in pairs.items() if value not in (None, "", [])}


def _pairs(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Rate):
        yield key, str(value)
    elif isinstance(value, timedelta):
        yield key, format_duration(value)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _pairs(f"{key}.{name}", getattr(value, name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _pairs(f"{key}.{name}" if key else str(name), inner)
    elif isinstance(value, tuple | list):
        yield key, list(value)
    else:
        yield key, value
