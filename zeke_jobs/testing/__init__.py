"""Helps to test handlers and calls of ``send`` without a database, and to run jobs in tests without a worker.

The fixtures are in a pytest plugin. A test suite loads it by name: ``pytest_plugins = ["zeke_jobs.testing.plugin"]``.
"""

from zeke_jobs.testing.context import FakeChunk, FakeContext, SentCall
from zeke_jobs.testing.running import Clock, JobRunner, prepare, release_clock, set_clock
from zeke_jobs.testing.sends import SentJobs

__all__ = ["Clock", "FakeChunk", "FakeContext", "JobRunner", "SentCall", "SentJobs"]
__all__ += ["prepare", "release_clock", "set_clock"]
