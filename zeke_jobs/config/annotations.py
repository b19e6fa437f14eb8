"""Evaluates the annotations of a handler's parameters."""

from collections.abc import Callable
from typing import Any

from zeke_jobs.config.entries import EntryError


def evaluate(annotation: Any, function: Callable[..., Any], parameter: str) -> Any:
    """The object that an annotation names.

    Raises:
        EntryError: a name in it is unknown to its module at run time.
    """
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
