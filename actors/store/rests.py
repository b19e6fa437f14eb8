"""The table of who rests until when, and why: hosts, the Engine, AI providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from psycopg2.extensions import connection as Connection


def note(conn: Connection, who: str, wait: timedelta, why: str = "") -> None:
    """Let ``who`` (such as ``host/example.org``) rest for ``wait``; a longer rest from before stays."""
    SQL.run(conn, "rest_note", who=who, wait=wait, why=why[:500])


def now(conn: Connection, of: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """``who`` rests now, ``until`` when and ``why``, the longest first: all, or ``of`` some."""
    return SQL.all(conn, "rests", of=None if of is None else list(of))
