"""Evaluates the annotations of a handler's parameters, also with names imported only for type checkers."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from typing import Any

from zeke_jobs.config.entries import EntryError


def evaluate(annotation: Any, function: Callable[..., Any], parameter: str) -> Any:
    """The object that an annotation names.

    Names unknown to the module at run time are looked up among its ``if TYPE_CHECKING:`` imports; only the needed ones are
    imported.

    Raises:
        EntryError: a name in it is unknown, or its import failed.
    """
    if not isinstance(annotation, str):
        return annotation
    source, names = function.__globals__, dict[str, Any]()
    try:
        while True:
            try:
                return eval(annotation, source, names)  # noqa: S307 (the module's own code)
            except NameError as error:
                statement = None if error.name in names else _import_of(error.name, source)
                if statement is None:
                    raise
                exec(compile(ast.Module([statement], []), "<annotation>", "exec"), dict(source), names)  # noqa: S102 (as above)
    except Exception as error:  # an annotation is an expression and may raise any exception
        got = f"{annotation}: {type(error).__name__}: {error}"
        raise EntryError(
            f"expected an annotation of {parameter} in {function.__name__} that can be resolved, got {got}",
            "import its names at the top of the module"
            if isinstance(error, NameError)
            else "an import under if TYPE_CHECKING: has to exist at run time too",
        ) from error


def _import_of(name: str | None, source: dict[str, Any]) -> ast.stmt | None:
    """The import of one name under the module's ``if TYPE_CHECKING:``."""
    module = sys.modules.get(source.get("__name__", ""))
    try:
        body = [] if module is None else ast.parse(inspect.getsource(module)).body
    except (OSError, TypeError, SyntaxError):  # the module has no source file
        return None
    for block in body:
        if isinstance(block, ast.If) and ast.unparse(block.test).rpartition(".")[2] == "TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    for alias in statement.names:
                        if name == (alias.asname or alias.name.partition(".")[0]):
                            statement.names = [alias]
                            return statement
    return None
