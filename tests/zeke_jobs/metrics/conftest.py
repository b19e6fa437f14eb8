"""The metrics tests use the fixtures of the diagnosis tests."""

from tests.zeke_jobs.diagnosis.conftest import scene

__all__ = ["scene"]
