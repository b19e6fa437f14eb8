"""Defines a backend for Django's ``TASKS``: sends jobs on Django's connection, reads results, and checks settings."""

import builtins
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import Error, Warning  # noqa: A004 (Django's word)
from django.core.exceptions import SuspiciousOperation
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string
from psycopg2.extensions import parse_dsn

from zeke_jobs.client import drivers, reading, sending
from zeke_jobs.client.options import as_id
from zeke_jobs.client.plans import P, Plan, T
from zeke_jobs.core import environment
from zeke_jobs.core.job import Job
from zeke_jobs.errors import JobFailed, JobNotFound

try:
    tasks: Any = import_module("django.tasks" if find_spec("django.tasks") else "django_tasks")
except ImportError as error:
    raise environment.missing("Django 6, or django-tasks with Django 5.2", "zeke-jobs[django]", error=error) from error
signals: Any = import_module(f"{tasks.__name__}.signals")
BaseTaskBackend: Any = import_module(f"{tasks.__name__}.backends.base").BaseTaskBackend  # imported late by Django 6
Status: Any = tasks.TaskResultStatus


_HANDLER = "zeke_jobs.django.worker:run_task"
_STATUS = {"active": Status.RUNNING, "completed": Status.SUCCESSFUL}
_STATUS |= dict.fromkeys(("failed", "cancelled"), Status.FAILED)
_TIMES = dict.fromkeys(("enqueued_at", "started_at", "last_attempted_at", "finished_at"))


def find(function: str) -> Any:
    """Return Django's ``Task`` at an import path. Raises ImportError, or SuspiciousOperation if it is no ``Task``."""
    found = import_string(function)
    if not isinstance(found, tasks.base.Task):
        raise SuspiciousOperation(f"expected a function with @task at {function}, got {type(found).__name__}")
    return found


def new_result(task: Any, call: Mapping[str, Any], **values: Any) -> Any:
    """Return a call's ``TaskResult``: new, except for ``values``. Raises TypeError if arguments are not JSON."""
    given = {name: call[name] for name in ("args", "kwargs", "backend")}
    start = {"id": "", "status": Status.READY, "errors": [], "worker_ids": [], **_TIMES}
    return tasks.TaskResult(task=task, **{**start, **given, **values})


def result_of(job: Job, call: Mapping[str, Any], output: Any = None) -> Any:
    """Return the ``TaskResult`` for a job whose payload is ``call``. Raises the same exceptions as ``find``."""
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
        # The row of a completed job no longer names the process that ran the job.
        worker_ids=workers + [str(job.worker or "unknown")] * (job.attempt - len(workers)),
    )
    object.__setattr__(result, "_return_value", output)
    return result


def _local(moment: datetime | None) -> Any:
    """Return a time in Django's form: with a zone, or without a zone if ``USE_TZ`` is False."""
    if moment is None or settings.USE_TZ is timezone.is_aware(moment):
        return moment
    return timezone.make_aware(moment) if settings.USE_TZ else timezone.make_naive(moment)


def _error(error: Mapping[str, Any]) -> Any:
    """Return an attempt's error as Django's ``TaskError``. The exception's module is read from the traceback."""
    name, traceback = error.get("type", ""), error.get("traceback", "")
    paths = re.findall(rf"^([\w.]+\.{re.escape(name)})\b", traceback, re.MULTILINE)
    own = f"builtins.{name}" if hasattr(builtins, name) else f"zeke_jobs.errors.{name}"
    return tasks.base.TaskError(exception_class_path=[own, *paths][-1], traceback=traceback or error.get("message", ""))


class Backend(BaseTaskBackend):  # type: ignore[misc] # django has no types
    """Runs Django's tasks as jobs of zeke_jobs.

    ``OPTIONS`` may have three keys. ``database`` is an alias in ``DATABASES``. ``task`` is the task in jobs.yaml that
    runs all functions, by default ``django``. ``tasks`` maps a function's path, or a queue's name, to another task.
    """

    supports_defer = supports_async_task = supports_get_result = supports_priority = True

    @property
    def database(self) -> str:
        """Return the alias of the database on whose connection jobs are sent."""
        return str(self.options.get("database", "default"))

    def stanza(self, function: str, queue_name: str) -> str:
        """Return the id of the task in jobs.yaml that runs a function."""
        own = self.options.get("tasks", {})
        return str(own.get(function) or own.get(queue_name) or self.options.get("task", "django"))

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Send a job. The job exists once the transaction of Django's connection commits.

        Raises InvalidTask or TypeError as Django's own backends do, and the errors of ``zeke_jobs.send``.
        """
        self.validate_task(task)
        call = {"function": task.module_path, "args": args, "kwargs": kwargs, "queue_name": task.queue_name}
        result = new_result(task, {**call, "backend": self.alias}, enqueued_at=timezone.now())
        call |= {"args": result.args, "kwargs": result.kwargs, "backend": self.alias}
        options: dict[str, Any] = {"priority": task.priority}
        if (moment := task.run_after) is not None:
            options["run_at"] = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
        sent = self._perform(sending.one, self.stanza(task.module_path, task.queue_name), call, options)
        object.__setattr__(result, "id", str(sent.id))
        signals.task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> Any:
        """Return the current result of a job. Sensitive fields of the job's payload are ``***``.

        Raises TaskResultDoesNotExist if no job of a function with ``@task`` has this id.
        """
        missing = tasks.exceptions.TaskResultDoesNotExist
        try:
            job, output = self._perform(reading.result, as_id("result_id", result_id))
        except JobFailed as error:
            job, output = error.job, None
        except (JobNotFound, ValueError) as error:
            raise missing(str(error)) from error
        if "function" not in job.data:
            raise missing(f"expected a job of a function with @task, got one of {job.task_id}")
        return result_of(job, job.data, output)

    def check(self, **_kwargs: Any) -> Iterator[Any]:
        """Yield faults of Django's settings, for ``manage.py check``, and of its tasks in jobs.yaml, if there is one.

        Raises ConfigurationError if jobs.yaml or ``DATABASE_URL`` is not valid.
        """
        where = f"TASKS[{self.alias!r}]"
        kinds = {"task": str, "database": str, "tasks": dict}
        if any(not isinstance(value, kinds.get(name, ())) for name, value in self.options.items()):
            expected = "the texts task and database, and the dict tasks"
            yield Error(f"expected in OPTIONS of {where} {expected}, got {self.options}", id="zeke_jobs.E004")
            return
        own = self.options.get("tasks", {})
        for name in own:
            try:
                if name not in self.queues:
                    find(name)
            except Exception as error:  # noqa: BLE001 (the module is foreign code; its exception is shown)
                message = f"expected a function with @task or one of QUEUES in {where}, got {name!r}: {error}"
                yield Error(message, id="zeke_jobs.E001")
        got = connections[self.database].vendor if self.database in connections else "nothing"
        if got != "postgresql":
            message = f"expected a PostgreSQL as DATABASES[{self.database!r}] for {where}, got {got}"
            yield Error(message, id="zeke_jobs.E002")
        else:
            yield from _other_database(connections[self.database].settings_dict)
        if (path := environment.config_path()).exists():
            from zeke_jobs import config  # import here, because a web server usually has no jobs.yaml

            found = config.load(path, handlers=False)
            for name in dict.fromkeys([self.stanza("", ""), *own.values()]):
                stanza = found.task(name)
                if stanza is None or stanza.handler != _HANDLER:
                    got = "no such task" if stanza is None else f"handler {stanza.handler}"
                    message = f"expected {name} in {path.name} for {where}, got {got}"
                    yield Error(message, hint=f'under tasks: {name}: {{handler: "{_HANDLER}"}}', id="zeke_jobs.E003")

    def _perform(self, plan: Plan[P, T], *args: P.args, **options: P.kwargs) -> T:
        if drivers.stand_in is not None:  # the program is a test without a database
            return drivers.perform(None, plan, *args, **options)
        connection = connections[self.database]
        connection.validate_no_broken_transaction()
        connection.ensure_connection()
        with connection.wrap_database_errors:
            return drivers.perform(connection.connection, plan, *args, **options)


def _other_database(ours: dict[str, Any]) -> Iterator[Any]:
    theirs = parse_dsn(environment.database_url_or_none() or "")
    for key, name in (("dbname", "NAME"), ("host", "HOST"), ("port", "PORT")):
        if ours[name] and theirs.get(key, str(ours[name])) != str(ours[name]):
            where = f"{key} {ours[name]} of DATABASES in DATABASE_URL, where workers look"
            yield Warning(f"expected {where}, got {theirs[key]}", id="zeke_jobs.W001")
