"""Finds a job by its id as people type it: in full, or only its beginning or end."""

import re
from typing import Annotated
from uuid import UUID

from zeke_jobs.cli import database
from zeke_jobs.cli.options import argument
from zeke_jobs.cli.run import UsageError
from zeke_jobs.core.wording import when
from zeke_jobs.errors import JobNotFound
from zeke_jobs.postgres.queries import SQL

Id = Annotated[str, argument("The job's id, or its beginning or end.", "ID")]

_LEAST = 4  # digits
_LISTED = 10  # candidates


def find(text: str) -> UUID:
    """The only job whose id equals the text, or begins or ends with it.

    Raises:
        UsageError: it cannot be part of an id, or several jobs match; the message lists them.
        JobNotFound: no job matches.
    """
    digits = text.strip().strip("….").replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
        raise UsageError(
            f"expected a job's id, its beginning or its end, got {text!r}\n  help: zeke-jobs jobs lists ids"
        )
    if len(digits) == 32:
        return UUID(digits)
    if len(digits) < _LEAST:
        raise UsageError(f"expected at least {_LEAST} characters of a job's id, got {text!r}")
    with database.connection("id", is_migrated=False) as conn:
        found = SQL.all(conn, "job/by_part", part=digits, limit=_LISTED + 1)
    if not found:
        raise JobNotFound(
            f"expected the beginning or the end of a job's id, got {text!r}: no job has it\n  help: zeke-jobs jobs lists them"
        )
    if len(found) > 1:
        listed = "\n".join(
            f"  {row['id']}  {row['task_id']}, {row['status']}, sent {when(row['created_on'])}"
            for row in found[:_LISTED]
        )
        more = "\n  and more" if len(found) > _LISTED else ""
        raise UsageError(f"expected more of the id, got {text!r}, which fits several jobs:\n{listed}{more}")
    return UUID(str(found[0]["id"]))
