"""Our metrics: name, kind, labels and meaning of each."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. Its name has the unit (seconds, jobs); a counter's name ends in ``_total``."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Family:
    return Family(f"zeke_jobs_{name}", "gauge", labels, meaning)


_TASK = ("task", "queue")

#: Read from the database in one snapshot for each scrape.
DATABASE: tuple[Family, ...] = (
    _gauge("up", (), "1 when the database could be read, 0 when not; then it is the only one of these."),
    _gauge("read_seconds", (), "How long reading the database took."),
    _gauge("queued", _TASK, "Queued jobs, due or not."),
    _gauge("active", _TASK, "Active jobs."),
    _gauge("active_limit", _TASK, "How many may be active at once; absent without a limit."),
    _gauge("oldest_wait_seconds", _TASK, "How long the oldest due job waits; 0 when none does."),
    _gauge("max_wait_seconds", _TASK, "The task's max_wait; absent where it has none."),
    _gauge(
        "max_wait_breached", _TASK, "1 while the oldest due job waits longer than max_wait; absent where there is none."
    ),
    _gauge("paused", _TASK, "1 while the task, its queue or a limit that it uses is paused."),
    _gauge("completed_per_minute", _TASK, "Jobs that completed within the last minute."),
    _gauge("failed_per_minute", _TASK, "Jobs that failed for good within the last minute."),
    _gauge("failed_last_hour", _TASK, "Jobs that failed for good within the last hour, counted up to 10,000."),
    _gauge(
        "handler_seconds",
        (*_TASK, "quantile"),
        "Durations of handlers, for the newest 500 completed jobs of the last hour.",
    ),
    _gauge("serving_processes", _TASK, "Live worker processes that would run a job of the task."),
    _gauge("serving_threads", _TASK, "Threads of the live worker processes that would run a job of the task."),
    _gauge("cost_last_day", ("task", "currency"), "Costs that jobs reported within the last day."),
    _gauge("limit_active", ("limit",), "Active jobs under a limit: task/NAME or limit/NAME."),
    _gauge("limit_concurrency", ("limit",), "Most active jobs under a limit; absent for one that is only a rate."),
    _gauge(
        "limit_rate_wait_seconds",
        ("limit",),
        "Seconds until the rate lets the next job start; 0 if it does now, absent without a rate.",
    ),
    _gauge("limit_rate", ("limit",), "Most starts within the period of its rate; absent without one."),
    _gauge("limit_unit_used", ("limit", "unit"), "Use of a unit that its rate still counts, or money spent today."),
    _gauge("limit_unit", ("limit", "unit"), "Most use of the unit in the period of its rate, or the daily budget."),
    _gauge("limit_closed", ("limit", "by"), "1 while a limit is closed: throttled by its provider, or by its breaker."),
    _gauge(
        "schedule_lag_seconds", ("task",), "Seconds since the next tick was due; 0 if it is not yet due or is paused."
    ),
    _gauge(
        "scheduler_silence_seconds",
        (),
        "Seconds since a scheduler last handled all schedules; absent before the first time.",
    ),
    _gauge("processes", ("kind", "state"), "Workers and schedulers that are live, stopping, or lost."),
    _gauge("threads", ("kind", "state"), "Jobs that these processes may run at once."),
)

ATTEMPTS = Family(
    "zeke_jobs_attempts_total",
    "counter",
    (*_TASK, "outcome"),
    "Attempts that ended: completed, retry, failed, deferred, returned, cancelled.",
)
ATTEMPT_SECONDS = Family(
    "zeke_jobs_attempt_seconds", "histogram", _TASK, "From the start of the handler to its end, with any outcome."
)
THREADS_LOST = Family(
    "zeke_jobs_threads_lost", "gauge", (), "Threads whose handler ignores its timeout or its cancellation."
)
