"""Stores each revision of jobs.yaml that was in force, with its overrides. Readers see sensitive fields masked."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from psycopg2.extensions import connection as Connection
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from zeke_jobs.config import Config, Edit, load_text
from zeke_jobs.config.document import parse
from zeke_jobs.core.redaction import MASK, is_sensitive, masked
from zeke_jobs.errors import UnknownRevision
from zeke_jobs.postgres.queries import SQL, Row

Fields = defaultdict[str, set[str]]


def sensitive_fields(*configs: Config | None) -> Fields:
    """Return, by task, the payload fields that at least one of the configurations marks as sensitive."""
    found: Fields = defaultdict(set)
    for config in configs:
        for task in config.tasks.values() if config else ():
            for name in (task.id, *task.aliases):
                found[name].update(task.sensitive)
    return found


def hide(value: Any, fields: Mapping[str, set[str]], path: tuple[str, ...] = (), *, services: bool = False) -> Any:
    """Mask sensitive fields and, if ``services``, settings of services in a value that jobs.yaml has at ``path``."""
    if (
        services
        and len(path) > {"services": 2, "middleware": 1}.get(path[0] if path else "", len(path))
        and path[-1] != "use"
    ):
        return MASK
    if (path[0:1], path[2:3]) == (("tasks",), ("cron",)) and (task := fields.get(path[1])) and value is not None:
        for place in [path[at + 1 :] for at in (3, 4) if path[at : at + 1] == ("payload",)]:  # (at 4: a named schedule)
            if not place and isinstance(value, dict):
                return masked(value, task)
            if is_sensitive(place, task):
                return MASK
    if isinstance(value, dict):
        return {key: hide(inner, fields, (*path, key), services=services) for key, inner in value.items()}
    return [hide(inner, fields, path, services=services) for inner in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Override:
    """Describes a value set by hand that overrides the value in jobs.yaml."""

    path: tuple[str, ...]  # keys from the top of the file
    value: Any
    by: str
    why: str
    set_on: datetime
    until: datetime | None = None  # when the override ends on its own; None: never
    drains: str | None = None  # for a removed task that is kept until its jobs have ended: the queue of these jobs

    @property
    def label(self) -> str:
        """Return the override's dotted path without a leading ``tasks.``, as people write it."""
        return ".".join(self.path[1:] if self.path[0] == "tasks" and len(self.path) > 1 else self.path)

    def masked(self, fields: Fields, *, services: bool = False) -> Override:
        """Return the override with sensitive fields masked. With ``services``, mask the settings of services too."""
        return replace(self, value=hide(self.value, fields, self.path, services=services))

    def covers(self, other: Override) -> bool:
        """Return whether this override replaces the other, because its path is a prefix of the other's path."""
        return other.path[: len(self.path)] == self.path


@dataclass(frozen=True)
class Revision:
    """Describes a jobs.yaml that was in force. ``listed`` leaves ``source`` empty. A later override wins."""

    number: int
    digest: str
    source: str
    overrides: tuple[Override, ...]
    applied_on: datetime
    applied_by: str
    message: str
    origin: str

    def config(self, *, handlers: bool = True) -> Config:
        """Return the revision's configuration. If ``handlers``, check it against the code. Raises ConfigurationError."""
        return load_text(self.source, name=f"revision {self.number}", handlers=handlers, edits=edits(self.overrides))


def draining(overrides: Sequence[Override]) -> set[str]:
    """Return the tasks that jobs.yaml no longer has, and that are kept only until their jobs have ended."""
    return {override.path[1] for override in overrides if override.drains is not None}


def visible(overrides: Sequence[Override]) -> list[Override]:
    """Return the overrides that are in effect. The others are replaced by later ones."""
    return [one for at, one in enumerate(overrides, start=1) if not any(later.covers(one) for later in overrides[at:])]


def edits(overrides: Sequence[Override]) -> list[Edit]:
    """Return the overrides as edits of values in jobs.yaml."""
    return [(one.path, one.value) for one in visible(overrides)]


def shown(config: Config, overrides: Sequence[Override]) -> dict[str, Any]:
    """Return jobs.yaml and its overrides. Values that the database's reader role may not see are masked."""
    fields = sensitive_fields(config)
    masked = hide(parse(config.text).value, fields, services=True)
    hidden = [one.masked(fields, services=True) for one in overrides]
    return {"source": json.dumps(masked, default=str), "overrides": to_jsonable_python(hidden)}


def sees_all(conn: Connection) -> bool:
    """Return whether this database login may read payloads and jobs.yaml unmasked, unlike the reader role."""
    return bool(SQL.value(conn, "revision/sight"))


def latest(conn: Connection, *, whole: bool = True) -> Revision | None:
    """Return the revision in force, or None. Unless ``whole``, sensitive fields of schedules are masked."""
    row = SQL.one(conn, "revision/one", number=None) if whole else SQL.one(conn, "revision/shown")
    return None if row is None else _read(row)


def find(conn: Connection, number: int) -> Revision:
    """Find a revision. Raises UnknownRevision if no revision has this number."""
    if (row := SQL.one(conn, "revision/one", number=number)) is not None:
        return _read(row)
    newest = latest_number(conn)
    known = f"1 to {newest}" if newest else "one, but nothing was ever in force"
    raise UnknownRevision(f"expected a revision ({known}), got {number}; zeke-jobs history lists them")


def listed(conn: Connection, limit: int) -> list[Revision]:
    """Return the latest revisions of jobs.yaml, the newest first."""
    return [_read({"source": "", **row}) for row in SQL.all(conn, "revision/list", limit=limit)]


def latest_number(conn: Connection) -> int:
    """Return the number of the jobs.yaml revision in force, or 0 before the first revision."""
    return int(SQL.value(conn, "revision/number"))


def number_of(conn: Connection, digest: str) -> int | None:
    """Return the number of the newest revision with this digest, or None if no revision has it."""
    return cast("int | None", SQL.value(conn, "revision/by_digest", digest=digest))


def _read(row: dict[str, Any]) -> Revision:
    return TypeAdapter(Revision).validate_python(row)


def pauses(conn: Connection, statement: str, **params: Any) -> list[Row]:
    """Return the pauses that a query selects. ``ends_on`` and ``set_key`` are None unless ``zeke-jobs set`` paused."""
    rows = [Row(**row, ends_on=None, set_key=None) for row in SQL.all(conn, statement, **params)]
    by_file = [row for row in rows if row.paused_by == "jobs.yaml"]
    revision = latest(conn, whole=False) if by_file else None
    for override in visible(revision.overrides) if revision else ():
        section, *path = override.path
        if section not in ("tasks", "limits") or path[1:] != ["paused"] or override.value is not True:
            continue
        for row in by_file:
            if f"{section[:-1]}/{path[0]}" in row.target.split(" or "):
                row.paused_by, row.paused_on, row.reason = override.by, override.set_on, override.why
                row.ends_on, row.set_key = override.until, override.label
    return rows
