"""A worker in this process, with all its threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq

from tests.waiting import eventually
from zeke_jobs.config import Config
from zeke_jobs.worker import builder
from zeke_jobs.worker.broker import JobBroker


@contextmanager
def working(config: Config, url: str, *, threads: int = 4, stop_within: int = 5_000) -> Iterator[JobBroker]:
    """A booted worker; it stops at the end."""
    broker = builder.build(config, url)
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=20)
    worker.start()
    try:
        # Dramatiq goes on before the boot is done, and an earlier send would find an empty catalogue.
        eventually(lambda: broker.process.is_booted, 60.0, "the worker boots")
        yield broker
    finally:
        worker.stop(timeout=stop_within)
        broker.close()
