"""Defines plans. A plan runs the database queries of one client call, with a blocking driver or an async one.

A plan is a coroutine function whose first argument is the ``Database``. With a blocking driver, it never suspends.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from zeke_jobs.errors import MigrationError

P = ParamSpec("P")
T = TypeVar("T")

Rows: TypeAlias = list[tuple[Any, ...]]
Plan: TypeAlias = Callable[Concatenate["Database", P], Coroutine[Any, Any, T]]

_PARAMETER = re.compile(r"%\((\w+)\)s")
#: These SQLSTATEs mean an unknown schema, table or function.
_NOT_MIGRATED = {"3F000", "42P01", "42883"}
_REFUSED = "22023"


@dataclass(frozen=True, slots=True)
class Database:
    """Lets plans query a database in the same way with every driver. ``identity`` distinguishes databases.

    ``execute`` runs a statement of the folder sql/queries by its name. It returns all rows, or an awaitable of them.
    """

    identity: Hashable
    execute: Callable[[str, Mapping[str, Any]], Rows | Awaitable[Rows]]

    async def ask(self, statement: str, /, **params: Any) -> Rows:
        """Return a statement's rows. Raises MigrationError if tables are missing, and ValueError for invalid values."""
        try:
            rows = self.execute(statement, params)
            return rows if isinstance(rows, list) else await rows
        except Exception as error:
            if sqlstate(error) == _REFUSED:
                raise ValueError(str(getattr(error, "orig", None) or error).partition("\n")[0]) from error
            if sqlstate(error) in _NOT_MIGRATED:
                raise MigrationError(
                    "expected a database with the tables of zeke_jobs, got one without; run: zeke-jobs migrate"
                ) from error
            raise

    def run(self, plan: Plan[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Run a plan to its end. ``execute`` must block and return rows."""
        try:
            plan(self, *args, **options).send(None)
        except StopIteration as end:
            found: T = end.value
            return found
        raise AssertionError("expected a driver that blocks, got one that is awaited")


def named(sql: str) -> str:
    """Return a statement with parameters in the form ``:name``."""
    return _PARAMETER.sub(r":\1", sql)


def numbered(sql: str, params: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """Return a statement with parameters in the form ``$1``, and the parameters' values in the order of their numbers."""
    names = list(dict.fromkeys(_PARAMETER.findall(sql)))
    text = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", sql)
    return text, tuple(params[name] for name in names)


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of any driver's error, even if SQLAlchemy wraps it."""
    inner = getattr(error, "orig", None) or error
    return getattr(inner, "sqlstate", None) or getattr(inner, "pgcode", None)
