"""The statements of ``actors/store/sql``, by name."""

from __future__ import annotations

from zeke_jobs.queries import Queries

SQL = Queries("actors.store", "sql")
