"""The demo's SQL by name."""

from __future__ import annotations

from zeke_jobs import Queries

SQL = Queries("actors.demo", "sql")
