"""A job pipeline on the Postgres you already have: jobs.yaml in, Dramatiq actors out.

Import the public names from here only; each is loaded at its first use.
"""

from __future__ import annotations

TYPE_CHECKING = False  # a container's probe imports this module; typing would take longer than the rest
if TYPE_CHECKING:
    from typing import Any

    from zeke_jobs import aio as aio
    from zeke_jobs import errors as errors
    from zeke_jobs.client import schedules as schedules
    from zeke_jobs.client.batches import batch as batch
    from zeke_jobs.client.batches import batch_status as batch_status
    from zeke_jobs.client.batches import cancel_batch as cancel_batch
    from zeke_jobs.client.batches import retry_batch as retry_batch
    from zeke_jobs.client.changing import cancel as cancel
    from zeke_jobs.client.changing import emit as emit
    from zeke_jobs.client.changing import prioritise as prioritise
    from zeke_jobs.client.changing import reschedule as reschedule
    from zeke_jobs.client.changing import retry as retry
    from zeke_jobs.client.reading import jobs as jobs
    from zeke_jobs.client.reading import status as status
    from zeke_jobs.client.reading import wait as wait
    from zeke_jobs.client.sending import send as send
    from zeke_jobs.client.sending import send_many as send_many
    from zeke_jobs.client.sending import statement as statement
    from zeke_jobs.core.chunk import ChunkContext as ChunkContext
    from zeke_jobs.core.context import Context as Context
    from zeke_jobs.core.job import Job as Job
    from zeke_jobs.core.job import Sent as Sent
    from zeke_jobs.core.wording import parse_duration as parse_duration
    from zeke_jobs.errors import Defer as Defer
    from zeke_jobs.errors import Reject as Reject
    from zeke_jobs.errors import Retry as Retry
    from zeke_jobs.errors import Throttled as Throttled
    from zeke_jobs.errors import WaitFor as WaitFor
    from zeke_jobs.payload.model import Duration as Duration
    from zeke_jobs.payload.model import FailedJob as FailedJob
    from zeke_jobs.payload.model import Payload as Payload
    from zeke_jobs.postgres.pool import transaction as transaction
    from zeke_jobs.postgres.queries import Queries as Queries

__version__ = "1.0.0.dev0"

#: The public names of each module.
_NAMES = {
    "client.batches": ("batch", "batch_status", "cancel_batch", "retry_batch"),
    "client.changing": ("cancel", "emit", "prioritise", "reschedule", "retry"),
    "client.reading": ("jobs", "status", "wait"),
    "client.sending": ("send", "send_many", "statement"),
    "core.chunk": ("ChunkContext",),
    "core.context": ("Context",),
    "payload.model": ("Duration", "FailedJob", "Payload"),
    "core.wording": ("parse_duration",),
    "core.job": ("Job", "Sent"),
    "errors": ("Defer", "Reject", "Retry", "Throttled", "WaitFor"),
    "postgres.pool": ("transaction",),
    "postgres.queries": ("Queries",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

_MODULES = {
    "aio": "zeke_jobs.aio",
    "errors": "zeke_jobs.errors",
    "schedules": "zeke_jobs.client.schedules",
}

__all__ = ["__version__", *_MODULES, *_HOMES]  # noqa: PLE0604 (the keys are strings)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(f"zeke_jobs.{_HOMES[name]}"), name)
        return value
    raise AttributeError(f"module 'zeke_jobs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
