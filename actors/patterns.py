"""Reads patterns from text files: ``[name]``, or ``[name i]`` to ignore case, then a line for each alternative."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"\[([a-z_]+)( i)?\]")
_USE = re.compile(r"\{([a-z_]+)\}")


@cache
def patterns(package: str, file: str) -> dict[str, re.Pattern[str]]:
    """The patterns of a file by name. ``{name}`` in a line is the earlier pattern of this name."""
    lines: dict[str, list[str]] = {}
    flags: dict[str, int] = {}
    for line in (files(package) / file).read_text(encoding="utf-8").splitlines():
        if match := _NAME.fullmatch(line):
            name = match.group(1)
            lines[name], flags[name] = [], re.IGNORECASE if match.group(2) else 0
        elif line and not line.startswith("# "):
            lines[name].append(_USE.sub(lambda used: "|".join(lines[used.group(1)]), line))
    return {name: re.compile("|".join(lines[name]), flags[name]) for name in lines}
