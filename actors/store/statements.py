"""The statements of ``actors/store/sql``, by name."""

from __future__ import annotations

from zeke_jobs import Queries

SQL = Queries("actors.store", "sql")
