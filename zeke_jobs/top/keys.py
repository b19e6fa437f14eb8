"""Reads key presses from a terminal, and names the keys."""

import os
import re
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = {
    **dict.fromkeys(("\x1b[A", "\x1bOA"), "up"),
    **dict.fromkeys(("\x1b[B", "\x1bOB"), "down"),
    **dict.fromkeys(("\x1b[C", "\x1bOC"), "right"),
    **dict.fromkeys(("\x1b[D", "\x1bOD"), "left"),
    **dict.fromkeys(("\x1b[H", "\x1b[1~"), "home"),
    **dict.fromkeys(("\x1b[F", "\x1b[4~"), "end"),
    **dict.fromkeys(("\r", "\n"), "enter"),
    **dict.fromkeys(("\x7f", "\x08"), "backspace"),
    "\x1b[5~": "page-up",
    "\x1b[6~": "page-down",
    "\x1b[Z": "shift-tab",
    "\x1b": "escape",
    "\t": "tab",
}
#: One key: a sequence of the terminal, or a character.
_KEY = re.compile(r"\x1b\[[^@-~]*(?:[@-~]|$)|\x1bO.|.", re.DOTALL)


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
    keys = _KEY.findall(data.decode("utf-8", "ignore"))
    return [_NAMES.get(key, key) for key in keys if key in _NAMES or key.isprintable()]
