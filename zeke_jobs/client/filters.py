"""Filters of jobs, in the form that the database reads."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict
from uuid import UUID

from zeke_jobs.client.options import as_id
from zeke_jobs.core import bounds
from zeke_jobs.core.job import STATUSES
from zeke_jobs.core.quoting import quote, suggest


class JobFilter(TypedDict, total=False):
    """Filters of jobs; a job matches if it matches all filters that are set.

    ``task`` is an id or alias. ``newer`` and ``older`` compare the age of a job; a change counts the age of an ended
    job from its end; otherwise it counts from the send. ``error`` is a part of the last error's type or message, in
    upper or lower case.
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
    """Check the filters. Returns the filters that are set, in the database's form."""
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
