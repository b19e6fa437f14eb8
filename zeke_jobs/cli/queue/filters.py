"""The options that choose jobs, for all commands that list or change many."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from zeke_jobs.cli import ids
from zeke_jobs.cli.options import option, span

if TYPE_CHECKING:
    from collections.abc import Callable

FILTERS: dict[str, Any] = {
    "task": Annotated[str | None, option("Jobs of this task, by id or alias.", "TASK")],
    "status": Annotated[list[str] | None, option("Jobs in this status; may be given more than once.", "STATUS")],
    "newer": Annotated[timedelta | None, span("Jobs sent (for a change of ended jobs: ended) within this time.")],
    "older": Annotated[timedelta | None, span("Jobs sent (for a change of ended jobs: ended) longer ago.")],
    "key": Annotated[str | None, option("Jobs with this key.", "KEY")],
    "error": Annotated[str | None, option("Jobs with this text in the last error's type or message.", "TEXT")],
    "queue": Annotated[str | None, option("Jobs of this queue.", "NAME")],
    "parent": Annotated[str | None, option("Jobs that this job sent.", "ID")],
    "batch": Annotated[str | None, option("Jobs of this batch.", "ID")],
}


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """A command with an option for each filter; its parameter ``given`` gets the ones that were used."""
    signature = inspect.signature(command, eval_str=True)
    own = [one for one in signature.parameters.values() if one.name != "given"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in FILTERS.items()
    ]

    def called(**arguments: Any) -> None:
        given = {name: value for name in FILTERS if (value := arguments.pop(name)) not in (None, [])}
        if "parent" in given:
            given["parent"] = str(ids.find(given["parent"]))
        command(given=given, **arguments)

    called.__doc__ = command.__doc__
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + added
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # typer reads both
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called
