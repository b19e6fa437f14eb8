"""Turns jobs.yaml into Dramatiq actors, when a command or a program imports ``zeke_jobs.actors``."""

import sys
from pathlib import Path
from typing import Any, TextIO, cast

import dramatiq
from dramatiq.actor import Actor

from zeke_jobs.config import load
from zeke_jobs.config.models import Config
from zeke_jobs.core import environment, logs, probes
from zeke_jobs.core.logs import Printed, refuse
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.broker import JobBroker
from zeke_jobs.worker.finish.outcome import EXPECTED
from zeke_jobs.worker.runtime import Runtime

_COMMAND_LINES = {"dramatiq", "dramatiq-gevent", "periodiq"}


def load_broker() -> JobBroker:
    """Build a broker from jobs.yaml. A fault raises ConfigurationError, or ends a worker or scheduler with status 2."""
    path = Path(sys.argv[0])
    name = path.parent.name if path.name == "__main__.py" else path.name
    if name not in _COMMAND_LINES:
        return from_file(environment.config_path(), environment.database_url_or_none())
    try:
        logs.configure()
        if name == "periodiq":
            beat.obey_signals()  # set the signal handlers first, so that signals also work if this process is PID 1
            probes.answer("scheduler", beat.faults)
        else:
            sys.stdout = cast("TextIO", Printed(sys.stdout))
            sys.stderr = cast("TextIO", Printed(sys.stderr, "stderr"))
        environment.check()
        return from_file(environment.config_path(), environment.database_url())
    except ConfigurationError as error:
        refuse(error)


def from_file(path: Path, url: str | None = None) -> JobBroker:
    """Build a broker from jobs.yaml without connecting to a database. A fault of the file raises ConfigurationError."""
    return build(load(path), url)


def build(config: Config, url: str | None = None) -> JobBroker:
    """Build a broker with an actor for each task of a checked configuration. The broker becomes dramatiq's global broker."""
    broker = JobBroker(Runtime(config), url)

    def make_actor(name: str, queue: str, **options: Any) -> None:
        if name not in broker.actors:  # an existing actor needs no update: each job reads its task's settings again
            run = broker.process.executor.run
            Actor(run, broker=broker, actor_name=name, queue_name=queue, priority=0, options=options)

    broker.process.declare = lambda task: make_actor(task.id, task.queue, throws=EXPECTED)
    for task in config.tasks.values():
        broker.process.declare(task)
    make_actor(beat.NAME, config.defaults.queue, periodic=beat.Beat())  # this actor does the scheduler's work
    dramatiq.set_broker(broker)
    return broker


def attribute(task: str) -> str:
    """Return the task's name as a Python attribute: ``ingest-oneoff`` becomes ``ingest_oneoff``."""
    return task.replace("-", "_").replace(".", "_")
