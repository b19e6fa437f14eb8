"""The result of a handler's wait for an event."""

from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 1024  # bytes


@dataclass(frozen=True, slots=True)
class Event:
    """An event that came, or that did not come in time.

    Attributes:
        data: The event's data; None when it did not come.
        timed_out: It did not come in time.
    """

    name: str
    data: Any = None
    timed_out: bool = False


def check_name(name: str) -> str:
    """Return the name if it is valid."""
    if not isinstance(name, str):
        raise TypeError(f"expected the name of an event as text, got {name!r}")
    if not 0 < len(name.encode()) <= LONGEST_NAME:
        raise ValueError(f"expected the name of an event of 1 to {LONGEST_NAME} bytes, got {len(name.encode())}")
    return name
