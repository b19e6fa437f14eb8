"""``${NAME}`` in settings: filled in from the environment at use, and never shown."""

import re
from dataclasses import dataclass, field
from typing import Any

from zeke_jobs.config.places import Path
from zeke_jobs.core import environment, redaction

REFERENCE = re.compile(r"\$\$(?=\{)|\$\{([^}]*)\}?")
"""A reference to a variable; or ``$$`` before a brace, which means one ``$``."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_WINDOW = 6


@dataclass(frozen=True)
class Secret:
    """A value from the environment. Its repr shows only the name."""

    name: str
    path: Path
    value: str = field(repr=False)

    def leaks_into(self, text: str) -> bool:
        """Whether ``text`` contains the value or a part of it."""
        hidden, seen = self.value.lower(), text.lower()
        if len(hidden) <= _WINDOW:
            return hidden in seen
        return any(hidden[at : at + _WINDOW] in seen for at in range(len(hidden) - _WINDOW + 1))


@dataclass
class Substitution:
    """Settings with their variables filled in, their secrets, and the names without a value."""

    value: Any = None  # the settings; text with an unset variable is unchanged
    secrets: list[Secret] = field(default_factory=list)  # one for each variable and place
    unset: list[tuple[Path, str]] = field(default_factory=list)  # (path, name) of each unset variable
    malformed: list[tuple[Path, str]] = field(default_factory=list)  # (path, text) of each ``${…}`` without a name


def substitute(value: Any) -> Substitution:
    """Fill in each ``${NAME}`` in the texts of ``value``, at any depth; ``$${`` becomes ``${``."""
    done = Substitution()
    done.value = _fill(value, (), done)
    return done


def _fill(value: Any, path: Path, done: Substitution) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, (*path, key), done) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, (*path, at), done) for at, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    before = len(done.secrets)
    filled = REFERENCE.sub(lambda match: _one(match, path, done), value)
    if len(done.secrets) > before:
        done.secrets.append(Secret(done.secrets[-1].name, path, filled))
    return filled


def _one(match: re.Match[str], path: Path, done: Substitution) -> str:
    if match[0] == "$$":
        return "$"
    name = match[1]
    if not _NAME.fullmatch(name) or not match[0].endswith("}"):
        done.malformed.append((path, match[0]))
        return match[0]
    value = environment.lookup(name)
    if value is None:
        done.unset.append((path, name))
        return match[0]
    done.secrets.append(Secret(name, path, value))
    redaction.remember(name, value)
    return value
