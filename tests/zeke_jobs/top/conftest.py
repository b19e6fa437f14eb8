"""The tests of ``top`` use the jobs and the clock of the diagnosis tests."""

from tests.zeke_jobs.diagnosis.conftest import scene

__all__ = ["scene"]
