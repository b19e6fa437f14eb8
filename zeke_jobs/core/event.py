"""What a handler gets that waited for an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 1024  # bytes


@dataclass(frozen=True, slots=True)
class Event:
    """An event that came, or did not come in time.

    Attributes:
        name: Its name.
        data: What came with it; None where it did not come.
        timed_out: It did not come in time.
    """

    name: str
    data: Any = None
    timed_out: bool = False


def check_name(name: str) -> str:
    """The name itself.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, or too long.
    """
    if not isinstance(name, str):
        raise TypeError(f"expected the name of an event as text, got {name!r}")
    if not 0 < len(name.encode()) <= LONGEST_NAME:
        raise ValueError(f"expected the name of an event of 1 to {LONGEST_NAME} bytes, got {len(name.encode())}")
    return name
