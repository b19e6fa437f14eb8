"""Amounts of units that jobs report."""

import math
from collections.abc import Mapping
from decimal import Decimal


def check(units: Mapping[str, float]) -> None:
    """Refuse an invalid amount."""
    for unit, amount in units.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount) or amount < 0:
            raise ValueError(f"expected {unit} as a number of at least 0, got {amount!r}")


def amount_text(amount: Decimal | float) -> str:
    """An amount for people, with four decimals at most: an average has more than anybody reads."""
    return f"{amount:,.4f}".rstrip("0").rstrip(".")
