"""A job's cost: an exact amount of one currency."""

import re
from decimal import Decimal

_CODE = re.compile("[A-Z]{3}")


def check(amount: Decimal | int, currency: str) -> None:
    """Refuse a value that is not a cost."""
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
        raise TypeError(
            f"expected a cost as Decimal or int, got {type(amount).__name__} {amount!r}; Decimal(str(amount)) makes one"
        )
    if not Decimal(amount).is_finite() or amount < 0:
        raise ValueError(f"expected a cost of at least 0, got {amount}")
    if not _CODE.fullmatch(currency):
        raise ValueError(f"expected a currency as three capital letters, such as USD (ISO 4217), got {currency!r}")


def mixed(known: str, given: str) -> ValueError:
    """The error for a second currency: amounts in two currencies cannot be added."""
    return ValueError(f"expected a cost in {known}, as this job's before, got {given}; convert it first")
