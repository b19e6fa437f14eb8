"""Patterns from text files: ``[name]`` or ``[name i]`` (in any case), then a line for each alternative."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"\[([a-z_]+)( i)?\]")
_USE = re.compile(r"\{([a-z_]+)\}")


@cache
def patterns(package: str, file: str) -> dict[str, re.Pattern[str]]:
    """The patterns of a file by name. ``{name}`` within a line stands for the alternatives of an earlier one."""
    lines: dict[str, list[str]] = {}
    flags: dict[str, int] = {}
    for line in (files(package) / file).read_text(encoding="utf-8").splitlines():
        if match := _NAME.fullmatch(line):
            name = match.group(1)
            lines[name], flags[name] = [], re.IGNORECASE if match.group(2) else 0
        elif line and not line.startswith("# "):
            lines[name].append(_USE.sub(lambda used: "|".join(lines[used.group(1)]), line))
    return {name: re.compile("|".join(_grouped(lines[name])), flags[name]) for name in lines}


def _grouped(alternatives: list[str]) -> list[str]:
    r"""The alternatives; those that begin with ``\b`` in one group, so that a place that begins no word is passed at once."""
    at_words = [each[2:] for each in alternatives if each.startswith(r"\b")]
    others = [each for each in alternatives if not each.startswith(r"\b")]
    return [rf"\b(?:{'|'.join(at_words)})", *others] if len(at_words) > 1 else alternatives
