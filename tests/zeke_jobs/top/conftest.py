"""The same jobs and clock as in the tests of looking."""

from tests.zeke_jobs.diagnosis.conftest import scene

__all__ = ["scene"]
