"""Imports objects that jobs.yaml names, and fills in ``${NAME}`` from the environment without showing the value."""

import importlib
import importlib.util
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from zeke_jobs.config.entries import EntryError
from zeke_jobs.core import environment, redaction
from zeke_jobs.core.quoting import nearest, quote, suggest
from zeke_jobs.payload.faults import Path as Steps

_IMPORTLIB = "<frozen importlib"


def import_object(path: str) -> Any:
    """Return the object at ``module:name``. Raises EntryError if the import fails, or the module lacks the name."""
    module_name, _, name = path.partition(":")
    module = _import(module_name)
    try:
        return getattr(module, name)
    except AttributeError:
        its = {key: getattr(value, "__module__", "") for key, value in vars(module).items() if key[0] != "_"}
        help_ = suggest(name, [key for key, owner in its.items() if owner == module_name], what="it has")
        fault = f"expected a name in module {module_name}, got {quote(name)}, which it does not have"
        raise EntryError(fault, help_) from None


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # the module is foreign code; its exception is shown
        # Leave out the frames of importlib and of this file. If no frame is left, the module itself was not found.
        machinery = (_IMPORTLIB, importlib.__file__, __file__)
        frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith(machinery)]
        if isinstance(error, ModuleNotFoundError) and not frames:
            fault = f"expected an importable module, got {quote(name)}, which was not found"
            raise EntryError(fault, _near(name)) from error
        filename, line = (frames[-1].filename, frames[-1].lineno) if frames else ("", 0)
        if isinstance(error, SyntaxError) and error.filename:
            filename, line = error.filename, error.lineno
        path, here = Path(filename), Path.cwd()
        where = f"{path.relative_to(here) if path.is_relative_to(here) else path}:{line}"
        what = f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
        help_ = f"it was raised in {where if filename else 'code without a file'}, not in this file"
        raise EntryError(f"expected module {name} to import, got {what}", help_) from error


def _near(name: str) -> str:
    """Return a hint with the most similar module name in the innermost package that exists."""
    parent, _, last = name.rpartition(".")
    while parent and parent not in sys.modules:
        parent, _, last = parent.rpartition(".")
    places = getattr(sys.modules[parent], "__path__", None) if parent else [str(Path.cwd())]
    if places is None:
        return f"{parent} is a module, not a package"
    found = [module.name for module in pkgutil.iter_modules(places)]
    if near := nearest(last, found):
        return f"did you mean {quote(f'{parent}.{near}' if parent else near)}?"
    if parent:
        return f"package {parent} has {', '.join(found) or 'no modules'}"
    return f"modules are looked for in the current folder, {Path.cwd().name}, and in the installed packages"


def kind_of(found: Any) -> str:
    """Return a few words that say what an object is, for messages."""
    return f"the class {found.__name__}" if isinstance(found, type) else f"an object of type {type(found).__name__}"


def evaluate(annotation: Any, function: Callable[..., Any], parameter: str) -> Any:
    """Return the object that an annotation names. Raises EntryError if the function's module lacks the name at run time."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, function.__globals__)  # noqa: S307 (the annotation is the module's own code)
    except Exception as error:  # an annotation is an expression and may raise any exception
        what = f"an annotation of {parameter} in {function.__name__} that can be resolved"
        fault = f"expected {what}, got {annotation}: {type(error).__name__}: {error}"
        help_ = "import its names at the top of the module, not under if TYPE_CHECKING:"
        raise EntryError(fault, help_) from error


REFERENCE = re.compile(r"\$\$(?=\{)|\$\{([^}]*)\}?")
"""A reference to a variable; or ``$$`` before a brace, which means one ``$``."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_WINDOW = 6


@dataclass(frozen=True)
class Secret:
    """Holds a value from the environment. The object's repr shows only the variable's name."""

    name: str
    path: Steps
    value: str = field(repr=False)

    def leaks_into(self, text: str) -> bool:
        """Return whether ``text`` contains the value, or six successive characters of it, in any case."""
        hidden, seen = self.value.lower(), text.lower()
        if len(hidden) <= _WINDOW:
            return hidden in seen
        return any(hidden[at : at + _WINDOW] in seen for at in range(len(hidden) - _WINDOW + 1))


class Substitution:
    """Replaces ``${NAME}`` by an environment variable's value, also in lists and mappings. ``$${`` becomes ``${``."""

    def __init__(self, value: Any) -> None:
        self.secrets: list[Secret] = []  # one for each occurrence of a variable
        self.unset: list[tuple[Steps, str]] = []  # (path, name) of each unset variable
        self.malformed: list[tuple[Steps, str]] = []  # (path, text) of each ``${…}`` without a name
        self.value = self._fill(value, ())  # a text with an unset variable is unchanged

    def _fill(self, value: Any, path: Steps) -> Any:
        if isinstance(value, dict):
            return {key: self._fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._fill(item, (*path, at)) for at, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        before = len(self.secrets)
        filled = REFERENCE.sub(lambda match: self._one(match, path), value)
        if len(self.secrets) > before:
            self.secrets.append(Secret(self.secrets[-1].name, path, filled))
        return filled

    def _one(self, match: re.Match[str], path: Steps) -> str:
        if match[0] == "$$":
            return "$"
        name = match[1]
        if not _NAME.fullmatch(name) or not match[0].endswith("}"):
            self.malformed.append((path, match[0]))
            return match[0]
        value = environment.lookup(name)
        if value is None:
            self.unset.append((path, name))
            return match[0]
        self.secrets.append(Secret(name, path, value))
        redaction.remember(name, value)
        return value
