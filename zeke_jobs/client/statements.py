"""The statement that sends a job, for drivers that the caller runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from zeke_jobs.client.drivers import named, numbered
from zeke_jobs.client.options import as_id, options
from zeke_jobs.client.task_cache import KnownTask, with_task
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from zeke_jobs.client.drivers import Runner

Style = Literal["numeric", "named", "pyformat"]


class Statement(NamedTuple):
    """SQL and its parameters, for a driver that the caller runs."""

    sql: str
    params: Any


def statement(
    task: str, payload: Mapping[str, Any] | BaseModel | None = None, *, style: Style = "numeric", **said: Any
) -> Statement:
    """The statement that sends a job, for asyncpg and other drivers; it returns the job's id.

    The payload and the options (``send``'s, but ``connection``) are checked here, against the catalogue at ``DATABASE_URL``.

    Args:
        task: Id or alias of a task.
        payload: Its fields.
        style: How the driver writes parameters: ``numeric`` (``$1``; params is a tuple), ``named`` (``:name``) or ``pyformat``
            (``%(name)s``), the last two with a mapping.
        said: The options.

    Raises:
        As ``send``; a full queue and a task that is gone by now are errors of the statement.
    """
    job_id = said.pop("id", None)

    def build(_: Runner, known: KnownTask) -> Statement:
        chosen = options(**said, task=known)
        if job_id is not None:
            chosen["id"] = str(as_id("id", job_id))
        sql = SQL.text("send/statement")
        params = {"task": known.id, "payload": known.accept(payload), "options": encode(chosen)}
        if style == "numeric":
            return Statement(*numbered(sql, params))
        if style == "named":
            return Statement(named(sql), params)
        if style == "pyformat":
            return Statement(sql, params)
        raise ValueError(f"expected style numeric, named or pyformat, got {style!r}")

    return with_task(task, build, None)
