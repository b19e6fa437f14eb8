"""The functions for an API: send, status, wait, cancel, retry. They need only ``DATABASE_URL``, no jobs.yaml and no handlers."""

from zeke_jobs.client.batches import batch, batch_status, batches, cancel_batch, retry_batch
from zeke_jobs.client.changing import Changed, cancel, prioritise, reschedule, retry
from zeke_jobs.client.events import emit
from zeke_jobs.client.reading import jobs, status, steps, wait
from zeke_jobs.client.sending import send, send_many, statement
from zeke_jobs.core.batch import BatchStatus
from zeke_jobs.core.job import Job, Sent
from zeke_jobs.core.send_options import UniqueRule

__all__ = [
    "BatchStatus",
    "Changed",
    "Job",
    "Sent",
    "UniqueRule",
    "batch",
    "batch_status",
    "batches",
    "cancel",
    "cancel_batch",
    "emit",
    "jobs",
    "prioritise",
    "reschedule",
    "retry",
    "retry_batch",
    "send",
    "send_many",
    "statement",
    "status",
    "steps",
    "wait",
]
