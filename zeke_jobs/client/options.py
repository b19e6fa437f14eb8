"""Turns options of ``send`` and job filters into JSON, and the database's refusal of an option into an exception."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import inf, isfinite
from typing import Any, TypedDict
from uuid import UUID

from zeke_jobs.client import tracing
from zeke_jobs.core import bounds
from zeke_jobs.core.batch import JobOptions, OneJobOptions
from zeke_jobs.core.job import STATUSES
from zeke_jobs.core.quoting import quote, suggest

#: The keys are expected values in the words of SQL; the values say the same in the words of Python.
_IN_PYTHON = {
    "as seconds or an interval": "as a timedelta or in seconds",
    "as a time": "as a datetime",
    "as a time or in seconds": "as a datetime, a timedelta or in seconds",
}


def new_id() -> UUID:
    """Return a UUID of version 7. These ids grow with time, so inserts go to one end of the primary key's index."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    return UUID(int=value & ~(3 << 62) | 2 << 62)


def refuse_unknown(given: Iterable[str], accepted: type[JobOptions] = OneJobOptions) -> None:
    """Raise TypeError for an unknown option of ``send``, and suggest the nearest option."""
    names = accepted.__annotations__
    for name in given:
        if name not in names:
            raise TypeError(
                f"expected an option of send, got {quote(name)}; {suggest(name, sorted(names), what='options')}"
            )


def stored(options: Mapping[str, object]) -> dict[str, Any]:
    """Return the options of ``send`` as JSON values, with the caller's trace context. None options are left out."""
    given = {name: plain(name, value) for name, value in options.items() if value is not None}
    if trace := tracing.current():
        given["traceparent"] = trace
    return given


def plain(name: str, value: Any) -> Any:
    """Return the JSON form of an option's value: seconds for a length of time, ISO 8601 for a time."""
    match value:
        case str() | bool() | int() | None:
            return value
        case float() | Decimal():
            return float(value) if isfinite(value) else str(value)
        case timedelta():
            return value.total_seconds()
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"expected {name} with a time zone, got the naive {value.isoformat()}; add tzinfo")
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return {str(key): plain(f"{name}.{key}", part) for key, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(name, part) for part in value]
    raise TypeError(f"expected {name} as an option of send, got {value!r:.60}")


def refused(refusal: Mapping[str, Any], options: Mapping[str, Any]) -> TypeError | ValueError:
    """Return the exception for an option that the database refused. The message names the field and the accepted values."""
    accepted = refusal["accepted"]
    words = [refusal["field"], _IN_PYTHON.get(accepted, accepted)]
    if not (got := refusal.get("got")):
        value: Any = options
        for name in refusal["field"].replace("[", ".").rstrip("]").split("."):
            value = value[int(name)] if isinstance(value, list) else value.get(name)
        got = value.isoformat() if isinstance(value, datetime) else repr(value)
    if "choices" in refusal:
        got = f"{got!r}; {suggest(got, refusal['choices'], what='fields')}"
    kind = TypeError if refusal["code"] == "type" else ValueError
    return kind(f"expected {' '.join(filter(None, words))}, got {got}")


def as_id(name: str, value: UUID | str) -> UUID:
    """Return an id from a UUID or its text."""
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"expected {name} as a UUID, got {value!r}") from error


def as_limit(value: int | None) -> float:
    """Return a maximum number of jobs, or infinity for None. Raises TypeError or ValueError if it is not valid."""
    if value is None:
        return inf
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected limit as an integer, got {value!r}")
    if not 0 <= value < 2**31:
        raise ValueError(f"expected limit of {'at least 0' if value < 0 else '31 bits'}, got {value}")
    return value


class JobFilter(TypedDict, total=False):
    """Lists the filters that select jobs. A job matches if all given filters match.

    ``task`` is an id or alias. ``newer`` and ``older`` compare the time since the job's send or, in changes of ended
    jobs, since its end. ``error`` is a part of the last error's type or message; case does not matter.
    """

    task: str | None
    status: str | Sequence[str] | None
    newer: timedelta | None
    older: timedelta | None
    key: str | None
    error: str | None
    batch: str | None
    parent: UUID | str | None
    queue: str | None


FILTERS = tuple(JobFilter.__annotations__)


def checked(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Check the filters. Returns the filters that are not None, as JSON for the database."""
    for name in filters:
        if name not in FILTERS:
            raise TypeError(f"expected a filter of jobs, got {quote(name)}; {suggest(name, FILTERS, what='filters')}")
    return {name: _checked(name, value) for name, value in filters.items() if value is not None}


def _checked(name: str, value: Any) -> Any:
    match name:
        case "status":
            statuses = [value] if isinstance(value, str) else list(value)
            for one in statuses:
                if one not in STATUSES:
                    raise ValueError(f"expected a status ({', '.join(STATUSES)}), got {one!r}")
            return statuses
        case "newer" | "older":
            if not isinstance(value, timedelta):
                raise TypeError(f"expected {name} as a timedelta, got {value!r}")
            if abs(value) > bounds.LONGEST:
                raise ValueError(f"expected {name} of at most 100 years, got {value}")
            return value.total_seconds()
        case "parent":
            return str(as_id("parent", value))
    if not isinstance(value, str):
        raise TypeError(f"expected {name} as text, got {value!r}")
    return value
