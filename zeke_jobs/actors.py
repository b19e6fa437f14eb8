"""Entry point of ``dramatiq zeke_jobs.actors`` and ``periodiq zeke_jobs.actors``: ``broker``, and an actor for each task."""

from zeke_jobs.worker import entrypoint
from zeke_jobs.worker.builder import attribute

broker = entrypoint.load()

globals().update({attribute(name): actor for name, actor in broker.actors.items()})
