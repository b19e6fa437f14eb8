"""Declares the metrics (name, kind, labels, meaning), and serves the counts of one dramatiq command's workers."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

from zeke_jobs.core import environment, logs


class Family(NamedTuple):
    """Describes one metric. The metric's name includes the unit (seconds, jobs). A counter's name ends in ``_total``."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    help: str


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Family:
    return Family(f"zeke_jobs_{name}", "gauge", labels, meaning)


_TASK = ("task", "queue")

#: Each scrape reads these metrics from the database, in one snapshot.
DATABASE: tuple[Family, ...] = (
    _gauge("up", (), "1 if the database could be read; 0 if not, and then no other metric is there."),
    _gauge("read_seconds", (), "How long reading the database took."),
    _gauge("queued", _TASK, "Queued jobs, due or not."),
    _gauge("active", _TASK, "Active jobs."),
    _gauge("active_limit", _TASK, "Maximum number of active jobs; absent without a limit."),
    _gauge("oldest_wait_seconds", _TASK, "How long the oldest due job has waited; 0 if none waits."),
    _gauge("max_wait_seconds", _TASK, "The task's max_wait; absent if unset."),
    _gauge("max_wait_breached", _TASK, "1 while the oldest due job waits longer than max_wait; absent without it."),
    _gauge("paused", _TASK, "1 while the task, its queue or a limit that it uses is paused."),
    _gauge("completed_per_minute", _TASK, "Jobs that completed within the last minute."),
    _gauge("failed_per_minute", _TASK, "Jobs that failed for good within the last minute."),
    _gauge("failed_last_hour", _TASK, "Jobs that failed for good within the last hour, counted up to 10,000."),
    _gauge("handler_seconds", (*_TASK, "quantile"), "Handler durations of the last hour's newest 500 completed jobs."),
    _gauge("serving_processes", _TASK, "Live worker processes that run the task."),
    _gauge("serving_threads", _TASK, "Threads of the live worker processes that run the task."),
    _gauge("cost_last_day", ("task", "currency"), "Costs that jobs reported within the last day."),
    _gauge("limit_active", ("limit",), "Active jobs under a limit."),
    _gauge("limit_concurrency", ("limit",), "Maximum active jobs of a limit; absent if unset."),
    _gauge("limit_rate_wait_seconds", ("limit",), "Seconds until the rate lets a job start; absent without a rate."),
    _gauge("limit_rate", ("limit",), "Maximum starts in the period of its rate; absent if unset."),
    _gauge("limit_unit_used", ("limit", "unit"), "Use of a unit that its rate still counts, or money spent today."),
    _gauge("limit_unit", ("limit", "unit"), "Maximum use of the unit in the period of its rate, or the daily budget."),
    _gauge("limit_closed", ("limit", "by"), "1 while a limit is closed: throttled by its provider, or by its breaker."),
    _gauge("schedule_lag_seconds", ("task",), "Seconds since the next tick was due; 0 if not yet due, or paused."),
    _gauge("scheduler_silence_seconds", (), "Seconds since a scheduler handled all schedules; absent before that."),
    _gauge("processes", ("kind", "state"), "Workers and schedulers that are live, stopping, or lost."),
    _gauge("threads", ("kind", "state"), "Jobs that these processes may run at once."),
)

_OUTCOMES = "completed, retry, failed, deferred, returned, cancelled"
ATTEMPTS = Family("zeke_jobs_attempts_total", "counter", (*_TASK, "outcome"), f"Attempts that ended: {_OUTCOMES}.")
ATTEMPT_SECONDS = Family("zeke_jobs_attempt_seconds", "histogram", _TASK, "Seconds from a handler's start to its end.")
THREADS_LOST = _gauge("threads_lost", (), "Threads whose handler ignores its timeout or its cancellation.")
_PREFIX = "zeke-jobs-metrics-"


def folder() -> Path:
    """Return the folder for the counter files of one dramatiq command's workers. Its name has the command's pid."""
    return Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getuid()}-{os.getppid()}"


def prepare() -> Path:
    """Make a private folder for counter files, and remove the folders of dramatiq commands that have ended."""
    ours = folder()
    for other in ours.parent.glob(f"{_PREFIX}{os.getuid()}-*"):
        if other != ours and not lives(int(other.name.rpartition("-")[2])):
            shutil.rmtree(other, ignore_errors=True)  # two workers may remove the same folder
    ours.mkdir(mode=0o700, exist_ok=True)
    if ours.stat().st_uid != os.getuid():
        raise PermissionError(f"expected {ours} to be ours, got one of another user; remove it")
    return ours


def run() -> int:
    """Serve until SIGTERM. Dramatiq runs this function in a separate process, and turns SIGTERM into SystemExit."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    logs.configure()
    address = environment.metrics_address()
    assert address is not None  # without an address, Dramatiq does not start this process
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder()))  # type: ignore[no-untyped-call]
    try:
        serve(registry, address)
    except OSError as error:
        said = {"address": str(address), "error": str(error)}
        logs.get_logger("zeke_jobs.metrics").error("metrics are not served; the workers run on", **said)
        return 1
    return 0


def serve(registry: Any, address: environment.Address) -> None:
    """Serve metrics at ``/metrics`` until the process gets a signal. Raises OSError if the address is not available."""
    from prometheus_client import start_http_server

    server, thread = start_http_server(address.port, address.host, registry=registry)
    logs.get_logger("zeke_jobs.metrics").info("serving metrics", address=str(address))
    try:
        thread.join()
    finally:
        server.shutdown()
        server.server_close()


def lives(pid: int) -> bool:
    """Return whether a process of this machine is alive."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
