"""Every configuration that was in force: a text of jobs.yaml, and what was set beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from zeke_jobs.config import load_text
from zeke_jobs.errors import UnknownRevision
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config import Config
    from zeke_jobs.config.editing import Edit


@dataclass(frozen=True)
class Override:
    """A value that is set beside the file's text.

    Attributes:
        path: Keys from the top of the file.
        value: What stands there, as YAML would read it.
        by: Who set it.
        why: The reason given.
        set_on: When.
        until: When it reverts by itself; None for never.
        drains: For a removed task that is kept until its jobs have ended: the queue that they are in.
        beneath: What was set before for longer, and comes back at ``until``.
    """

    path: tuple[str, ...]
    value: Any
    by: str
    why: str
    set_on: datetime
    until: datetime | None = None
    drains: str | None = None
    beneath: tuple[Override, ...] = ()

    @property
    def back_to(self) -> str:
        """What comes back when its time is over, in words; empty where the file's value does."""
        return ", ".join(
            (f"{one.label} = " if one.path != self.path else "")
            + (one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False))
            for one in self.beneath
        )

    @property
    def label(self) -> str:
        """Its path as people write it: tasks without ``tasks.``."""
        return ".".join(self.path[1:] if self.path[0] == "tasks" and len(self.path) > 1 else self.path)

    @property
    def edit(self) -> Edit:
        """What it does to the text's values."""
        return self.path, self.value

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self), default=datetime.isoformat))
        return found

    @classmethod
    def of_json(cls, row: dict[str, Any]) -> Override:
        """As the database keeps it."""
        return TypeAdapter(cls).validate_python(row)


@dataclass(frozen=True)
class Revision:
    """One configuration that was in force. ``source`` is empty in lists."""

    number: int
    digest: str
    source: str
    overrides: tuple[Override, ...]
    applied_on: datetime
    applied_by: str
    message: str
    origin: str

    def config(self, *, handlers: bool = True) -> Config:
        """What it sets up; with ``handlers``, checked against this process's code.

        Raises:
            ConfigurationError: it does not fit this code.
        """
        edits = [override.edit for override in self.overrides]
        return load_text(self.source, name=f"revision {self.number}", handlers=handlers, edits=edits)

    @property
    def draining(self) -> frozenset[str]:
        """Tasks that are kept only until their jobs have ended."""
        return frozenset(override.path[1] for override in self.overrides if override.drains is not None)


def latest(conn: Connection) -> Revision | None:
    """The revision in force; None before the first."""
    row = SQL.one(conn, "revision/latest")
    return None if row is None else _read(row)


def find(conn: Connection, number: int) -> Revision:
    """The revision of a number.

    Raises:
        UnknownRevision: there is none.
    """
    row = SQL.one(conn, "revision/one", number=number)
    if row is None:
        newest = latest_number(conn)
        known = f"1 to {newest}" if newest else "one, but nothing was ever in force"
        raise UnknownRevision(f"expected a revision ({known}), got {number}; zeke-jobs history lists them")
    return _read(row)


def listed(conn: Connection, limit: int) -> list[Revision]:
    """The newest revisions, the newest first."""
    return [_read({"source": "", **row}) for row in SQL.all(conn, "revision/list", limit=limit)]


def latest_number(conn: Connection) -> int:
    """Number of the revision in force; 0 when there is none."""
    row = SQL.one(conn, "revision/number")
    assert row is not None
    return int(row["number"])


def number_of(conn: Connection, digest: str) -> int | None:
    """The newest revision with this text; None for a text that was never in force."""
    row = SQL.one(conn, "revision/by_digest", digest=digest)
    return None if row is None else int(row["number"])


def _read(row: dict[str, Any]) -> Revision:
    overrides = tuple(Override.of_json(one) for one in row["overrides"])
    return Revision(**{**row, "overrides": overrides})
