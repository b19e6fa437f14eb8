"""Runs functions with Django's ``@task`` in workers. Importing the module sets up Django, so that wrong settings fail early."""

from __future__ import annotations

import traceback
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import django
from django.apps import apps
from django.db import close_old_connections, reset_queries
from dramatiq.middleware import TimeLimitExceeded

from zeke_jobs.client import drivers, reading
from zeke_jobs.core.context import Context
from zeke_jobs.django.backend import Status, result_of, signals, tasks
from zeke_jobs.errors import Defer, Reject, Retry, WaitFor
from zeke_jobs.payload.model import Payload

if not apps.ready:
    django.setup()


class Call(Payload):  # type: ignore[no-redef] # of the plugin, for kwargs
    """Is the payload of ``run_task``: a function's path, its arguments, and Django's names of the task's queue and backend."""

    function: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue_name: str
    backend: str


def run_task(payload: Call, ctx: Context) -> Any:
    """Call the function with fresh Django connections, send Django's signals, and return the function's value.

    Raises Reject if the value is not JSON, and ImportError or SuspiciousOperation if the path names no task of Django.
    """
    job = drivers.perform(ctx.db, reading.one, ctx.job_id)
    begun = replace(job, status="active", attempt=ctx.attempt, started_on=datetime.now(UTC))  # the row is written later
    result = result_of(begun, payload.model_dump())
    sender = type(result.task.get_backend())
    reset_queries()  # Django collects queries if DEBUG is on
    close_old_connections()  # Django does the same around a request
    signals.task_started.send(sender, task_result=result)
    try:
        context = [tasks.TaskContext(task_result=result)] if result.task.takes_context else []
        value = result.task.call(*context, *result.args, **result.kwargs)
        try:
            object.__setattr__(result, "_return_value", tasks.base.normalize_json(value))
        except (TypeError, ValueError) as error:
            raise Reject(f"expected {payload.function} to return JSON: {error}") from error
        object.__setattr__(result, "status", Status.SUCCESSFUL)
    except (Defer, Retry, WaitFor):
        raise
    except (Exception, SystemExit, TimeLimitExceeded) as error:
        path = f"{type(error).__module__}.{type(error).__qualname__}"
        trace = "".join(traceback.format_exception(error))
        result.errors.append(tasks.base.TaskError(exception_class_path=path, traceback=trace))
        object.__setattr__(result, "status", Status.FAILED)
        signals.task_finished.send(sender, task_result=result)
        raise
    else:
        signals.task_finished.send(sender, task_result=result)
    finally:
        close_old_connections()
    return result.return_value
