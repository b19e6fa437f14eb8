"""Runs jobs on the Postgres that you already have, with Dramatiq actors that are made from jobs.yaml.

Import the public names from this package only. Each name is loaded at its first use.
"""

from __future__ import annotations

TYPE_CHECKING = False  # a container's probe imports this module; typing would take longer than the rest
if TYPE_CHECKING:
    from typing import Any

    from zeke_jobs import aio, errors
    from zeke_jobs.client import schedules
    from zeke_jobs.client.batches import batch, batch_status, cancel_batch, retry_batch
    from zeke_jobs.client.changing import cancel, emit, prioritise, reschedule, retry
    from zeke_jobs.client.reading import jobs, status, wait
    from zeke_jobs.client.sending import send, send_many, statement
    from zeke_jobs.core.context import ChunkContext, Context
    from zeke_jobs.core.job import Job, Sent
    from zeke_jobs.core.wording import parse_duration
    from zeke_jobs.errors import Defer, Reject, Retry, Throttled, WaitFor
    from zeke_jobs.payload.model import Duration, FailedJob, Payload
    from zeke_jobs.postgres.pool import transaction
    from zeke_jobs.postgres.queries import Queries

__version__ = "1.0.0.dev0"

#: These are the public names of each module.
_NAMES = {
    "client.batches": ("batch", "batch_status", "cancel_batch", "retry_batch"),
    "client.changing": ("cancel", "emit", "prioritise", "reschedule", "retry"),
    "client.reading": ("jobs", "status", "wait"),
    "client.sending": ("send", "send_many", "statement"),
    "core.context": ("ChunkContext", "Context"),
    "payload.model": ("Duration", "FailedJob", "Payload"),
    "core.wording": ("parse_duration",),
    "core.job": ("Job", "Sent"),
    "errors": ("Defer", "Reject", "Retry", "Throttled", "WaitFor"),
    "postgres.pool": ("transaction",),
    "postgres.queries": ("Queries",),
}
_HOMES = {name: f"zeke_jobs.{module}" for module, names in _NAMES.items() for name in names}
_MODULES = {"aio": "zeke_jobs.aio", "errors": "zeke_jobs.errors", "schedules": "zeke_jobs.client.schedules"}

# __all__ is written out as a list, because type checkers do not run code.
__all__ = ["ChunkContext", "Context", "Defer", "Duration", "FailedJob", "Job", "Payload", "Queries", "Reject", "Retry"]
__all__ += ["Sent", "Throttled", "WaitFor", "__version__", "aio", "batch", "batch_status", "cancel", "cancel_batch"]
__all__ += ["emit", "errors", "jobs", "parse_duration", "prioritise", "reschedule", "retry", "retry_batch", "schedules"]
__all__ += ["send", "send_many", "statement", "status", "transaction", "wait"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    raise AttributeError(f"module 'zeke_jobs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
