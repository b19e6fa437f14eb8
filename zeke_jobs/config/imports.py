"""Importing what jobs.yaml names, and saying which of the many ways it went wrong."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeke_jobs.config.diagnostics import quote, suggest
from zeke_jobs.config.entries import EntryError

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

_IMPORTLIB = "<frozen importlib"


def import_object(path: str) -> Any:
    """What ``module:name`` names.

    Raises:
        EntryError: there is no such module, it raised while it was imported, or it has no such name.
    """
    module_name, _, name = path.partition(":")
    module = _import(module_name)
    try:
        return getattr(module, name)
    except AttributeError:
        own = [key for key, value in vars(module).items() if _is_own(value, module) and key[0] != "_"]
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
    except (Exception, SystemExit) as error:  # the module is foreign code; what it raised is shown
        raise _raised(name, error) from error
    raise EntryError(f"expected an importable module, got {quote(name)}, which was not found", _near(name))


def _is_missing(name: str, error: ModuleNotFoundError) -> bool:
    """Whether the module itself is not there, as against one that it imports."""
    wanted = error.name is not None and (name == error.name or name.startswith(f"{error.name}."))
    return wanted and not _frames(error.__traceback__)


def _raised(name: str, error: BaseException) -> EntryError:
    what = f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
    return EntryError(
        f"expected module {name} to import, got {what}", f"it was raised in {_where(error)}, not in this file"
    )


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = _frames(error.__traceback__)
    return f"{_shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else "code without a file"


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    """The frames of foreign code, the innermost last."""
    machinery = (_IMPORTLIB, importlib.__file__, __file__)
    return [one for one in traceback.extract_tb(trace) if not one.filename.startswith(machinery)]


def _shown(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename


def _near(name: str) -> str:
    """The nearest module of the innermost package that does exist."""
    parent, _, last = name.rpartition(".")
    while parent:
        if (package := sys.modules.get(parent)) is not None:
            found = [module.name for module in pkgutil.iter_modules(getattr(package, "__path__", []))]
            near = suggest(last, found)
            if near.startswith("did you mean"):
                return near.replace("'", f"'{parent}.", 1)
            return f"package {parent} has {', '.join(found)}" if found else f"package {parent} has no modules"
        parent, _, last = parent.rpartition(".")
    return f"modules are looked for in the current folder, {_shown_folder()}, and in the installed packages"


def _shown_folder() -> str:
    return Path.cwd().name or "/"


def _is_own(value: Any, module: ModuleType) -> bool:
    return getattr(value, "__module__", None) == module.__name__
