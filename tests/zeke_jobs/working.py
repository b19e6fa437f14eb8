"""This module runs a worker in the test's process, with all its threads."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq
import pytest

from tests.waiting import eventually
from tests.zeke_jobs.testing.blocks import blocks
from zeke_jobs import config as configuration
from zeke_jobs.config import Config
from zeke_jobs.worker import builder
from zeke_jobs.worker.broker import JobBroker


@contextmanager
def working(
    config: Config, url: str, *, threads: int = 4, stop_within: int = 5_000, queues: set[str] | None = None
) -> Iterator[JobBroker]:
    broker = builder.build(config, url)
    worker = dramatiq.Worker(broker, queues=queues, worker_threads=threads, worker_timeout=20)
    worker.start()
    try:
        # Worker.start returns before the worker has filled the catalogue of tasks, in which a send looks up its task.
        eventually(lambda: broker.process.is_booted, 60.0, "the worker boots")
        yield broker
    finally:
        worker.stop(timeout=stop_within)
        broker.close()


@contextmanager
def program(page: Path, folder: Path, *names: str, parts: Collection[int] = ()) -> Iterator[Config]:
    """Write files of a page of the docs, load jobs.yaml, and make the Python modules importable in the ``with`` block.

    A file consists of its code blocks on the page. If ``parts`` has numbers, the first file has only these blocks.
    """
    modules = [name.removesuffix(".py") for name in names if name.endswith(".py")]
    for name in names:
        chosen = [text for n, text in enumerate(blocks(page, name)) if not parts or name != names[0] or n in parts]
        (folder / name).write_text(("\n\n" if name.endswith(".py") else "").join(chosen))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        for module in modules:
            sys.modules.pop(module, None)
        try:
            yield configuration.load(folder / "jobs.yaml")
        finally:
            for module in modules:
                sys.modules.pop(module, None)
