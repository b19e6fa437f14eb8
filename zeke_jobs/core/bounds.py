"""Checks that values of a job's row are within bounds, so that every worker can read the row.

The database has the same bounds (``zeke_jobs.unfit_payload``, ``unfit_json``, ``is_readable``); tests compare them.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

LARGEST = 1024 * 1024  # bytes of JSON in UTF-8; the maximum size of a payload or an output
#: This is the maximum depth of nested lists and objects. Python allows about a thousand nested calls.
DEEPEST = 100
#: A time is at least EARLIEST and before LATEST. Python has only years 1 to 9999, and a time zone may change the year.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
#: This is the maximum delay, and the maximum duration in jobs.yaml: a hundred years.
LONGEST = timedelta(days=36525)


def moment(name: str, value: datetime) -> datetime:
    """Return ``value`` if it is a time that the database may store. Raises TypeError or ValueError otherwise."""
    if not isinstance(value, datetime):
        raise TypeError(f"expected {name} as a datetime, got {value!r:.60}")
    if value.tzinfo is None:
        raise ValueError(f"expected {name} with a time zone, got the naive {value.isoformat()}; add tzinfo")
    if not EARLIEST <= value < LATEST:
        raise ValueError(f"expected {name} from 1970-01-01 to 9000-01-01, got {value.isoformat()}")
    return value


def delay(name: str, value: timedelta | float) -> timedelta:
    """Return a delay as a timedelta. A negative delay becomes zero. Raises TypeError or ValueError for other values."""
    if isinstance(value, bool) or not isinstance(value, timedelta | int | float):
        raise TypeError(f"expected {name} as a timedelta or in seconds, got {value!r:.60}")
    seconds: Any = value.total_seconds() if isinstance(value, timedelta) else value
    if not seconds <= LONGEST.total_seconds():  # also true for NaN
        raise ValueError(f"expected {name} as at most 100 years, got {value!r:.60}")
    return timedelta(seconds=max(0.0, seconds))


def check_units(units: Mapping[str, float]) -> None:
    """Raise ValueError if an amount of units is not a number of at least 0."""
    for unit, amount in units.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount) or amount < 0:
            raise ValueError(f"expected {unit} as a number of at least 0, got {amount!r}")


_CODE = re.compile("[A-Z]{3}")


def check_cost(amount: Decimal | int, currency: str) -> None:
    """Raise TypeError or ValueError unless amount is a Decimal or int of at least 0, and currency is like ``USD``."""
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
        raise TypeError(
            f"expected a cost as Decimal or int, got {type(amount).__name__} {amount!r}; Decimal(str(amount)) makes one"
        )
    if not Decimal(amount).is_finite() or amount < 0:
        raise ValueError(f"expected a cost of at least 0, got {amount}")
    if not _CODE.fullmatch(currency):
        raise ValueError(f"expected a currency as three capital letters, such as USD (ISO 4217), got {currency!r}")


def mixed_costs(known: str, given: str) -> ValueError:
    """Return the error for a second currency: amounts in two currencies cannot be added."""
    return ValueError(f"expected a cost in {known}, as this job's before, got {given}; convert it first")
