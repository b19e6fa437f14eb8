"""Pauses in force, with their authors: in the catalogue, a pause by ``zeke-jobs set`` looks like one of jobs.yaml."""

from typing import Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.queries import SQL, Row
from zeke_jobs.revisions import store

_SECTIONS = {"tasks": "task", "limits": "limit"}


def in_force(conn: Connection, statement: str, **params: Any) -> list[Row]:
    """The rows of a statement about pauses; ``ends_on`` and ``set_key`` are None unless ``zeke-jobs set`` made the pause."""
    rows = [Row(**row, ends_on=None, set_key=None) for row in SQL.all(conn, statement, **params)]
    by_file = [row for row in rows if row.paused_by == "jobs.yaml"]
    revision = store.latest(conn, whole=False) if by_file else None
    for override in store.visible(revision.overrides) if revision else ():
        section, *path = override.path
        if path[1:] != ["paused"] or override.value is not True or section not in _SECTIONS:
            continue
        for row in by_file:
            if f"{_SECTIONS[section]}/{path[0]}" in row.target.split(" or "):
                row.paused_by, row.paused_on, row.reason = override.by, override.set_on, override.why
                row.ends_on, row.set_key = override.until, override.label
    return rows
