"""The package ``django.tasks`` (Django's own since version 6, else ``django-tasks``), and a job as its ``TaskResult``."""

import builtins
import re
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.utils import timezone
from django.utils.module_loading import import_string

from zeke_jobs.core import environment
from zeke_jobs.core.job import Job

try:
    tasks: Any = import_module("django.tasks")
except ImportError:
    try:
        tasks = import_module("django_tasks")
    except ImportError as error:
        raise environment.missing(
            "Django 6, or django-tasks beside Django 5.2", "zeke-jobs[django]", error=error
        ) from error
signals: Any = import_module(f"{tasks.__name__}.signals")
BaseTaskBackend: Any = import_module(f"{tasks.__name__}.backends.base").BaseTaskBackend  # Django 6 imports it late
Status: Any = tasks.TaskResultStatus


_STATUS = {
    "active": Status.RUNNING,
    "completed": Status.SUCCESSFUL,
    "failed": Status.FAILED,
    "cancelled": Status.FAILED,
}
_TIMES = dict.fromkeys(("enqueued_at", "started_at", "last_attempted_at", "finished_at"))


def find(function: str) -> Any:
    """The ``Task`` of a function, by its path.

    Raises ImportError if there is nothing at this path, and SuspiciousOperation if it is no task.
    """
    found = import_string(function)
    if not isinstance(found, tasks.base.Task):
        raise SuspiciousOperation(f"expected a function with @task at {function}, got {type(found).__name__}")
    return found


def new_result(task: Any, call: Mapping[str, Any], **values: Any) -> Any:
    """A ``TaskResult`` of a call with these values; by default it is ready, and nothing has happened.

    Raises TypeError if an argument is no JSON.
    """
    given = {name: call[name] for name in ("args", "kwargs", "backend")}
    start = {"id": "", "status": Status.READY, "errors": [], "worker_ids": [], **_TIMES}
    return tasks.TaskResult(task=task, **{**start, **given, **values})


def result_of(job: Job, call: Mapping[str, Any], output: Any = None) -> Any:
    """The ``TaskResult`` of a job whose payload is this call of a function.

    Raises:
        ImportError, SuspiciousOperation: as ``find``.
    """
    lowest, highest = tasks.base.TASK_MIN_PRIORITY, tasks.base.TASK_MAX_PRIORITY
    task = find(call["function"]).using(
        priority=max(lowest, min(job.priority, highest)),
        queue_name=call["queue_name"],
        run_after=_local(job.run_at) if job.run_at > job.created_on else None,
        backend=call["backend"],
    )
    failed = [one for one in job.attempts if one.get("error")]
    workers = [str(one.get("worker")) for one in failed][: job.attempt]
    first = datetime.fromisoformat(job.attempts[0]["started_on"]) if job.attempts else job.started_on
    result = new_result(
        task,
        call,
        id=str(job.id),
        status=_STATUS.get(job.status, Status.READY),
        enqueued_at=_local(job.created_on),
        started_at=_local(first),
        last_attempted_at=_local(job.started_on),
        finished_at=_local(job.completed_on),
        errors=[_error(one["error"]) for one in failed],
        # A completed job no longer names its process.
        worker_ids=workers + [str(job.worker or "unknown")] * (job.attempt - len(workers)),
    )
    object.__setattr__(result, "_return_value", output)
    return result


def _local(moment: datetime | None) -> Any:
    """A time as Django has it: with a zone, or with ``USE_TZ = False`` without one."""
    if moment is None or settings.USE_TZ is timezone.is_aware(moment):
        return moment
    return timezone.make_aware(moment) if settings.USE_TZ else timezone.make_naive(moment)


def _error(error: Mapping[str, Any]) -> Any:
    """An attempt keeps the name of an exception's class; its module is in the last line of the traceback."""
    name, traceback = error.get("type", ""), error.get("traceback", "")
    paths = re.findall(rf"^([\w.]+\.{re.escape(name)})\b", traceback, re.MULTILINE)
    own = f"builtins.{name}" if hasattr(builtins, name) else f"zeke_jobs.errors.{name}"
    return tasks.base.TaskError(exception_class_path=[own, *paths][-1], traceback=traceback or error.get("message", ""))
