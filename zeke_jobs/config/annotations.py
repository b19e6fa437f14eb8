"""What the annotations of a handler's parameters mean, also those that are only imported for a type checker."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from typing import TYPE_CHECKING, Any

from zeke_jobs.config.entries import EntryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def evaluate(annotation: Any, function: Callable[..., Any], parameter: str) -> Any:
    """The object that an annotation names.

    Names that the module does not have at run time are looked up among its ``if TYPE_CHECKING:`` imports, of
    which only those that are needed are imported.

    Raises:
        EntryError: a name in it stands for nothing, or its import failed.
    """
    if not isinstance(annotation, str):
        return annotation
    source = function.__globals__
    try:
        return eval(annotation, source, _TypeCheckingNames(source))  # noqa: S307 (the module's own code)
    except Exception as error:  # an annotation is an expression, so it may raise anything
        raise EntryError(
            f"expected an annotation of {parameter} in {function.__name__} that can be resolved,"
            f" got {annotation}: {type(error).__name__}: {error}",
            "import its names at the top of the module"
            if isinstance(error, NameError)
            else "what is imported under if TYPE_CHECKING: has to exist at run time too",
        ) from error


class _TypeCheckingNames(dict[str, Any]):
    """Local names for eval: those that only a type checker imports, imported when they are asked for."""

    def __init__(self, source: dict[str, Any]) -> None:
        super().__init__()
        self._source = source
        self._statements = dict(_imports(source.get("__name__", "")))

    def __missing__(self, name: str) -> Any:
        if name in self._source or name not in self._statements:
            raise KeyError(name)
        module_name, attribute = self._statements[name]
        module = importlib.import_module(module_name)
        return getattr(module, attribute) if attribute else module


def _imports(module_name: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """(name, (module, attribute)) of each import under ``if TYPE_CHECKING:`` of the module."""
    module = sys.modules.get(module_name)
    if module is None:
        return
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):  # made without a source file
        return
    for statement in tree.body:
        if isinstance(statement, ast.If) and _names_type_checking(statement.test):
            for inner in statement.body:
                yield from _bindings(inner, module.__package__ or "")


def _names_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"


def _bindings(statement: ast.stmt, package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    if isinstance(statement, ast.ImportFrom):
        relative = "." * statement.level + (statement.module or "")
        home = importlib.util.resolve_name(relative, package) if statement.level else relative
        for alias in statement.names:
            yield alias.asname or alias.name, (home, alias.name)
    elif isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.asname:
                yield alias.asname, (alias.name, "")
            else:
                first = alias.name.partition(".")[0]
                yield first, (first, "")
