"""The options of a send, checked and in the form that the database reads."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from zeke_jobs.client import carried, tracing
from zeke_jobs.core import bounds
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.core.send_options import JobOptions, ManyJobOptions, OneJobOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zeke_jobs.client.task_cache import KnownTask
    from zeke_jobs.core.send_options import RetryRule, UniqueRule

LONGEST_KEY = 1024  # bytes; an index entry of Postgres holds 2,700
_SHORTEST_TIMEOUT = 0.001  # seconds
MOST_RETRIES = 1000
_WHILE = ("queued", "active", "period")
_ON_DUPLICATE = ("ignore", "replace", "postpone")


def new_id() -> UUID:
    """A UUID of version 7; its order by time keeps inserts at one edge of the primary key."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    return UUID(int=value & ~(3 << 62) | 2 << 62)


class SendOptions(JobOptions, total=False):
    """The options of each job of a send."""

    parent: UUID | str | None


class ManySendOptions(ManyJobOptions, SendOptions, total=False):
    """The options of a send of many."""


class OneSendOptions(OneJobOptions, SendOptions, total=False):
    """The options of a send of one job."""

    scheduled_for: datetime | None


def refuse_unknown(given: Iterable[str], accepted: type[SendOptions] = OneSendOptions) -> None:
    """Refuse unknown keywords, as Python does, and name the nearest option.

    Raises:
        TypeError: a keyword is unknown.
    """
    names = accepted.__annotations__
    for name in given:
        if name not in names:
            raise TypeError(
                f"expected an option of send, got {quote(name)}; {suggest(name, sorted(names), what='options')}"
            )


def checked_options(options: Mapping[str, object], task: KnownTask) -> dict[str, Any]:
    """The options of ``zeke_jobs.send`` and ``zeke_jobs.enqueue``; an option that was not given is left out.

    Raises:
        TypeError: an option has a value of the wrong type.
        ValueError: an option's value is not valid.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if {"delay", "run_at"} <= given.keys():
        raise ValueError("expected delay or run_at, got both")
    if "unique_key" in given and not _names_no_fields(given.get("unique", {})):
        raise ValueError(
            "expected unique_key or the fields of unique, got both; unique may say while, period and on_duplicate"
        )
    checked = {name: _CHECKS[name](name, value) for name, value in given.items()}
    if "unique" in given:
        checked["unique"] = _unique(given["unique"], task)
    checked |= carried.current()
    trace = tracing.current()
    return checked if trace is None else {**checked, "traceparent": trace}


def as_id(name: str, value: UUID | str) -> UUID:
    """An id from a UUID or its text.

    Raises:
        ValueError: it is neither.
    """
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"expected {name} as a UUID, got {value!r}") from error


def as_count(name: str, value: int) -> int:
    """A number of at least 0.

    Raises:
        TypeError: it is not an integer.
        ValueError: it is below 0, or more than 31 bits.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected {name} as an integer, got {value!r}")
    if not 0 <= value < 2**31:
        raise ValueError(
            f"expected {name} of at least 0, got {value}" if value < 0 else f"expected {name} of 31 bits, got {value}"
        )
    return value


def priority_of(name: str, value: int) -> int:
    """A priority.

    Raises:
        TypeError: it is not an integer.
        ValueError: it has more than 32 bits.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected {name} as an integer, got {value!r}")
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"expected {name} of 32 bits, got {value}")
    return value


def run_time_of(run_at: datetime | None, delay: timedelta | float | None) -> dict[str, Any]:
    """A job's run time, in the form that the database reads.

    Raises:
        TypeError, ValueError: neither value is given, or both, or one is not valid.
    """
    if (run_at is None) is (delay is None):
        raise ValueError(f"expected run_at or delay, got {'neither' if delay is None else 'both'}")
    return {"delay": _seconds("delay", delay)} if delay is not None else {"run_at": _moment("run_at", run_at)}  # type: ignore[arg-type]


def keys_of(keys: Sequence[str | None], count: int) -> list[str | None]:
    """A key for each of a number of jobs; None gives a job no key of its own.

    Raises:
        TypeError: ``keys`` is one text, or a key is not a text.
        ValueError: the number is wrong, or a key is not valid.
    """
    if isinstance(keys, str):
        raise TypeError(f"expected keys as a list, got the text {keys!r}; key= is for all jobs")
    if len(keys) != count:
        raise ValueError(f"expected as many keys as payloads, got {len(keys)} for {count}")
    return [None if key is None else _key(f"keys[{index}]", key) for index, key in enumerate(keys)]


def _seconds(name: str, value: timedelta | float) -> float:
    if isinstance(value, bool) or not isinstance(value, timedelta | int | float):
        raise TypeError(f"expected {name} as a timedelta or in seconds, got {value!r}")
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not 0 <= seconds <= bounds.LONGEST.total_seconds():
        raise ValueError(f"expected {name} of 0 seconds to 100 years, got {value!r}")
    return seconds


def _moment(name: str, value: datetime) -> str:
    return bounds.moment(name, value).isoformat()


def _expires(name: str, value: datetime | timedelta | float) -> str | float:
    return _moment(name, value) if isinstance(value, datetime) else _seconds(name, value)


def _units(name: str, value: Mapping[str, float]) -> dict[str, float]:
    found = dict(value)
    for unit, amount in found.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float | Decimal):
            raise TypeError(f"expected {name} as numbers by unit, got {unit}={amount!r}")
        if not 0 <= amount < 2**53:
            raise ValueError(f"expected {name} of at least 0, got {unit}={amount!r}")
    return {unit: amount if isinstance(amount, int) else float(amount) for unit, amount in found.items()}


def _key(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected {name} as text, got {value!r}")
    if not value or len(value.encode()) > LONGEST_KEY:
        raise ValueError(f"expected {name} of 1 to {LONGEST_KEY} bytes, got {len(value.encode())}")
    return value


def _retry(name: str, value: int | RetryRule) -> dict[str, float]:
    if not isinstance(value, dict):
        return {"limit": _retries(f"{name} as a number of retries, or a rule", value)}
    checks: dict[str, Callable[[str, Any], float]] = {"limit": _retries, "delay": _seconds, "max_delay": _seconds}
    if unknown := value.keys() - checks:
        raise ValueError(f"expected retry with limit, delay and max_delay, got {', '.join(sorted(unknown))}")
    return {part: checks[part](f"{name}.{part}", given) for part, given in value.items()}


def _retries(name: str, value: int) -> int:
    if as_count(name, value) > MOST_RETRIES:
        raise ValueError(f"expected {name} of at most {MOST_RETRIES}, got {value}")
    return value


def _timeout(name: str, value: timedelta | float) -> float:
    seconds = _seconds(name, value)
    if seconds < _SHORTEST_TIMEOUT:
        raise ValueError(f"expected {name} of at least {_SHORTEST_TIMEOUT:g} seconds, got {value!r}")
    return seconds


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "delay": _seconds,
    "run_at": _moment,
    "priority": priority_of,
    "key": _key,
    "unique": lambda _name, value: value,
    "expires": _expires,
    "retry": _retry,
    "timeout": _timeout,
    "keep": _seconds,
    "batch": _key,
    "units": _units,
    "parent": lambda name, value: str(as_id(name, value)),
    "then": lambda _name, value: value,
    "after_failure": lambda _name, value: value,
    "id": lambda name, value: str(as_id(name, value)),
    "idempotency_key": _key,
    "unique_key": _key,
    "scheduled_for": _moment,
}


def _unique(value: bool | str | Sequence[str] | UniqueRule, task: KnownTask) -> Any:  # noqa: FBT001 (a plain yes or no is one of its forms)
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return _unique_rule(value, task)
    return _fields(value, task)


def _names_no_fields(unique: object) -> bool:
    return unique is False or (isinstance(unique, dict) and "fields" not in unique)


def _unique_rule(rule: Mapping[str, Any], task: KnownTask) -> dict[str, Any]:
    if unknown := set(rule) - {"fields", "while", "period", "on_duplicate", "at_most"}:
        raise ValueError(
            f"expected unique with fields, while, period, on_duplicate and at_most, got {', '.join(sorted(unknown))}"
        )
    if rule.get("while", "queued") not in _WHILE:
        raise ValueError(f"expected unique while queued or active, got {rule['while']!r}")
    checked: dict[str, Any] = {"fields": _fields(rule["fields"], task)} if "fields" in rule else {}
    if "on_duplicate" in rule:
        checked["on_duplicate"] = _on_duplicate(rule)
    if "at_most" in rule:
        checked["at_most"] = _seconds("at_most", rule["at_most"])
    if "while" in rule:
        checked["while"] = rule["while"]
    if "period" in rule:
        checked["period"] = f"{_seconds('period', rule['period'])} seconds"
    elif rule.get("while") == "period":
        raise ValueError("expected unique with a period, got none")
    return checked


def _on_duplicate(rule: Mapping[str, Any]) -> str:
    choice: str = rule["on_duplicate"]
    if choice not in _ON_DUPLICATE:
        raise ValueError(f"expected on_duplicate ignore, replace or postpone, got {choice!r}")
    held_while = rule.get("while", "period" if "period" in rule else "queued")
    if choice != "ignore" and held_while != "queued":
        raise ValueError(
            f"expected on_duplicate {choice} while queued, got while {held_while}: a job that runs or has run keeps its payload"
        )
    return choice


def _fields(names: str | Sequence[str], task: KnownTask) -> list[str]:
    fields = []
    for name in [names] if isinstance(names, str) else names:
        field = task.payload.field(name) if isinstance(name, str) else None
        if field is None:
            known = suggest(str(name), task.payload.fields, what="fields")
            raise ValueError(f"expected unique by fields of {task.id}'s payload, got {name!r}; {known}")
        fields.append(field)
    return fields
