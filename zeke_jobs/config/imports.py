"""Imports objects named in jobs.yaml, evaluates their annotations, and explains a failure."""

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from zeke_jobs.config.entries import EntryError
from zeke_jobs.core.quoting import nearest, quote, suggest

_IMPORTLIB = "<frozen importlib"


def import_object(path: str) -> Any:
    """The object named by ``module:name``.

    Raises EntryError if the module does not exist, raised an exception during its import, or lacks the name.
    """
    module_name, _, name = path.partition(":")
    module = _import(module_name)
    try:
        return getattr(module, name)
    except AttributeError:
        own = [
            key
            for key, value in vars(module).items()
            if getattr(value, "__module__", "") == module_name and key[0] != "_"
        ]
        raise EntryError(
            f"expected a name in module {module_name}, got {quote(name)}, which it does not have",
            suggest(name, own, what="it has"),
        ) from None


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not _is_missing(name, error):
            raise _raised(name, error) from error
    except (Exception, SystemExit) as error:  # the module is foreign code; its exception is shown
        raise _raised(name, error) from error
    raise EntryError(f"expected an importable module, got {quote(name)}, which was not found", _near(name))


def _is_missing(name: str, error: ModuleNotFoundError) -> bool:
    """Whether the module itself is missing, and not one that it imports."""
    wanted = error.name is not None and (name == error.name or name.startswith(f"{error.name}."))
    return wanted and not _frames(error.__traceback__)


def _raised(name: str, error: BaseException) -> EntryError:
    what = f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
    return EntryError(
        f"expected module {name} to import, got {what}", f"it was raised in {_where(error)}, not in this file"
    )


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown_path(error.filename)}:{error.lineno}"
    frames = _frames(error.__traceback__)
    return f"{shown_path(frames[-1].filename)}:{frames[-1].lineno}" if frames else "code without a file"


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    """The frames of foreign code, the innermost last."""
    machinery = (_IMPORTLIB, importlib.__file__, __file__)
    return [one for one in traceback.extract_tb(trace) if not one.filename.startswith(machinery)]


def shown_path(filename: str) -> str:
    """A file as people see it: below the current folder without the path to it."""
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename


def _near(name: str) -> str:
    """The nearest module name in the innermost package that exists."""
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
    """The kind of an object in a few words."""
    return f"the class {found.__name__}" if isinstance(found, type) else f"an object of type {type(found).__name__}"


def evaluate(annotation: Any, function: Callable[..., Any], parameter: str) -> Any:
    """The object that an annotation names. Raises EntryError if a name in it is unknown to its module at run time."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, function.__globals__)  # noqa: S307 (the module's own code)
    except Exception as error:  # an annotation is an expression and may raise any exception
        got = f"{annotation}: {type(error).__name__}: {error}"
        raise EntryError(
            f"expected an annotation of {parameter} in {function.__name__} that can be resolved, got {got}",
            "import its names at the top of the module, not under if TYPE_CHECKING:",
        ) from error
