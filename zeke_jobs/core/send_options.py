"""The options of a send. ``zeke_jobs.send`` explains them; ``client/options.py`` checks them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict
from uuid import UUID

from zeke_jobs.core.batch import AfterFailure, Then

UniqueRule = TypedDict(
    "UniqueRule",
    {
        "fields": "str | Sequence[str]",
        "while": str,
        "period": "timedelta | float",
        "on_duplicate": str,
        "at_most": "timedelta | float",
    },
    total=False,
)
"""``{"fields": ["story_id"], "while": "queued" | "active"}`` or ``{"fields": […], "period": timedelta(hours=1)}``,
or ``{"fields": […], "on_duplicate": "replace" | "postpone", "at_most": timedelta(minutes=5)}``."""


class RetryRule(TypedDict, total=False):
    """``{"limit": 5, "delay": 10, "max_delay": timedelta(hours=1)}``; the task's values replace missing ones."""

    limit: int
    delay: timedelta | float
    max_delay: timedelta | float


class JobOptions(TypedDict, total=False):
    """Options for each job of a send."""

    delay: timedelta | float | None
    run_at: datetime | None
    priority: int | None
    key: str | None
    parent: UUID | str | None
    unique: bool | str | Sequence[str] | UniqueRule | None
    expires: datetime | timedelta | float | None
    retry: int | RetryRule | None
    timeout: timedelta | float | None
    keep: timedelta | float | None
    batch: str | None
    units: Mapping[str, float] | None


class ManyJobOptions(JobOptions, total=False):
    """Further options of a send of many jobs."""

    then: Then | None
    after_failure: AfterFailure | None


class OneJobOptions(JobOptions, total=False):
    """Further options of a send of one job."""

    id: UUID | str | None
    idempotency_key: str | None
    scheduled_for: datetime | None
    unique_key: str | None
