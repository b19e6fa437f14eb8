"""What an API needs: send, ask, wait, cancel, retry. Needs neither jobs.yaml nor handlers, only ``DATABASE_URL``."""

from __future__ import annotations

from zeke_jobs.client.changing import Changed, cancel, retry
from zeke_jobs.client.options import UniqueRule
from zeke_jobs.client.reading import jobs, status, wait
from zeke_jobs.client.sending import Statement, send, send_many, statement
from zeke_jobs.core.job import STATUSES, Job, Sent

__all__ = [
    "STATUSES",
    "Changed",
    "Job",
    "Sent",
    "Statement",
    "UniqueRule",
    "cancel",
    "jobs",
    "retry",
    "send",
    "send_many",
    "statement",
    "status",
    "wait",
]
