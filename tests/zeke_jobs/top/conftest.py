"""The same jobs and clock as in the tests of looking."""

from __future__ import annotations

from tests.zeke_jobs.diagnosis.conftest import scene

__all__ = ["scene"]
