"""The options that choose jobs, for all commands that list or change many."""

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any

from zeke_jobs.cli import ids
from zeke_jobs.cli.options import option, span

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


def with_options(command: Callable[..., int | None], added: Mapping[str, Any]) -> Callable[..., int | None]:
    """A command with more options than its own. Its first parameter gets a mapping of those that were used.

    ``added`` has the annotation of each, by name. Their default is None, or False for a flag.
    """
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [one.replace(kind=keyword) for one in own]
    for name, annotation in added.items():
        default = False if annotation.__origin__ is bool else None
        parameters.append(inspect.Parameter(name, keyword, default=default, annotation=annotation))

    def called(**arguments: Any) -> int | None:
        given = {name: arguments.pop(name) for name in added}
        used = {name: value for name, value in given.items() if value is not False and value not in (None, [])}
        if "parent" in used:
            used["parent"] = str(ids.find(used["parent"]))
        return command(used, **arguments)

    called.__doc__ = command.__doc__
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # typer reads both
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called
