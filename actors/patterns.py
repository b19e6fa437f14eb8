"""Reads patterns from files. Below a header ``[name]`` (``[name i]``: ignore case), each line is an alternative."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"\[([a-z_]+)( i)?\]")
_WIDE = r"(?=(?-i:[^\x00-\x7f]))"
#: This matches a first letter without a quantifier after it.
_FIRST = re.compile(r"[A-Za-z](?![?*+{])")
_WIDE_FIRST = re.compile(r"[^\x00-\x7f\u0131\u017f\u212a](?![?*+{])")
#: These letters beyond ASCII also match the keys if case is ignored.
_THIRD = {"i": "\u0130\u0131", "k": "\u212a", "s": "\u017f"}
_GROUP = re.compile(r"(?<!\\)\((?!\?[^P])|\\[1-9]")
_USE = re.compile(r"\{([a-z_]+)\}")


@cache
def patterns(package: str, file: str, **given: str) -> dict[str, re.Pattern[str]]:
    """Return the patterns of a file by name. ``{name}`` in a line stands for an earlier or a ``given`` pattern."""
    lines = {name: [alternatives] for name, alternatives in given.items()}
    flags: dict[str, int] = {}
    for line in (files(package) / file).read_text(encoding="utf-8").splitlines():
        if match := _NAME.fullmatch(line):
            name = match.group(1)
            lines[name], flags[name] = [], re.IGNORECASE if match.group(2) else 0
        elif line and not line.startswith("# "):
            lines[name].append(_USE.sub(lambda used: "|".join(lines[used.group(1)]), line))
    return {name: re.compile("|".join(_grouped(lines[name], flags[name])), flags[name]) for name in flags}


def _grouped(alternatives: list[str], flags: int) -> Iterator[str]:
    r"""Yield the alternatives in groups. A group may begin with a condition that rules out most places in a text.

    The condition is ``\b``, ``^``, or a next character beyond ASCII. If case is ignored, a group's alternatives are
    sorted by first letter, which is written as ``[aA]``: Python skips places quickly only if case is not ignored.
    """
    groups: dict[str, list[str]] = {}
    for each in (part for line in alternatives for part in _opened(f"(?:{line})")):
        head = next((head for head in (r"\b", "^") if each.startswith(head)), "")
        condition = head or (_WIDE if flags and _WIDE_FIRST.match(each) else "")
        groups.setdefault(condition, []).append(each.removeprefix(head))
    for condition, parts in groups.items():
        inner = "|".join(_by_letter(part for each in parts for part in _opened(each)) if flags and condition else parts)
        yield f"{condition}(?:{inner})" if condition else inner


def _by_letter(alternatives: Iterable[str]) -> list[str]:
    rests: dict[str, list[str]] = {}
    for each in alternatives:
        first = _FIRST.match(each)
        letters = f"{each[0].lower()}{each[0].upper()}{_THIRD.get(each[0].lower(), '')}" if first else ""
        rests.setdefault(letters, []).append(each[1:] if first else each)
    return [rf"(?-i:[{one}])(?:{'|'.join(rest)})" if one else "|".join(rest) for one, rest in rests.items()]


def _opened(alternative: str) -> list[str]:
    """Split an alternative that begins with a group: ``(?:a|b)c`` becomes ``ac`` and ``bc``."""
    parts, depth, start = [], 0, 3
    if not alternative.startswith("(?:") or _GROUP.search(alternative):  # a capturing group cannot be repeated
        return [alternative]
    for found in re.finditer(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()|]", alternative):
        depth += {"(": 1, ")": -1}.get(found.group(), 0)
        if (found.group() == "|" and depth == 1) or depth == 0:
            parts.append(alternative[start : found.start()])
            start = found.end()
        if depth == 0:
            break
    rest = alternative[start:]
    if rest[:1] in {"?", "*", "+", "{"}:
        return [alternative]
    return [each for part in parts for each in _opened(part + rest)]
