"""Reads key presses from a terminal byte by byte, and names the keys."""

from __future__ import annotations

import os
import select
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1bOC": "right",
    b"\x1bOD": "left",
    b"\x1b[5~": "page-up",
    b"\x1b[6~": "page-down",
    b"\x1b[H": "home",
    b"\x1b[F": "end",
    b"\x1b[1~": "home",
    b"\x1b[4~": "end",
    b"\x1b[Z": "shift-tab",
    b"\x1b": "escape",
    b"\t": "tab",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
}


@contextmanager
def pressed(file: int) -> Iterator[None]:
    """Inside the block keys arrive at once and are not echoed; afterwards the terminal is restored."""
    before = termios.tcgetattr(file)
    try:
        tty.setcbreak(file, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def read(file: int, seconds: float) -> list[str]:
    """Names of the keys pressed; returns at the first one, or empty after this time."""
    if not select.select([file], [], [], seconds)[0]:
        return []
    data = os.read(file, 1024)
    if not data:
        raise EOFError("the terminal was closed")
    return split(data)


def split(data: bytes) -> list[str]:
    """Name the keys in a terminal's bytes; unknown sequences are left out."""
    names = []
    while data:
        size = _length(data)
        part, data = data[:size], data[size:]
        if part in _NAMES:
            names.append(_NAMES[part])
        elif not part.startswith(b"\x1b"):
            names += [letter for letter in part.decode("utf-8", "ignore") if letter.isprintable()]
    return names


def _length(data: bytes) -> int:
    """Number of bytes of the first key."""
    if data[:1] != b"\x1b" or len(data) == 1:
        # The first byte of a multi-byte character tells its length.
        return next((size for least, size in ((0xF0, 4), (0xE0, 3), (0xC0, 2)) if data[0] >= least), 1)
    if data[1:2] == b"O":
        return 3
    if data[1:2] != b"[":
        return 1
    end = next((at for at in range(2, len(data)) if 0x40 <= data[at] <= 0x7E), len(data) - 1)
    return end + 1
