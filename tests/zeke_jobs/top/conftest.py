"""The same database and clock as in the tests of looking."""

from __future__ import annotations

from tests.zeke_jobs.diagnosis.conftest import database, scene

__all__ = ["database", "scene"]
