"""The backend of ``TASKS``: sends a job on Django's own connection, so within ``transaction.atomic``, and reads results."""

from collections.abc import Iterable
from typing import Any

from django.db import connections
from django.utils import timezone

from zeke_jobs.client import drivers, reading, sending, tracing
from zeke_jobs.client.options import as_id
from zeke_jobs.client.plans import P, Plan, T
from zeke_jobs.django.results import BaseTaskBackend, new_result, result_of, signals, tasks
from zeke_jobs.errors import JobFailed, JobNotFound


class Backend(BaseTaskBackend):  # type: ignore[misc] # django has no types
    """Tasks as jobs of zeke_jobs.

    ``OPTIONS`` has ``database``, an alias of ``DATABASES``; ``task``, the task in jobs.yaml for all functions, by default
    ``django``; and ``tasks``: other ones, by the path of a function, or else by the name of a queue.
    """

    supports_defer = supports_async_task = supports_get_result = supports_priority = True

    @property
    def database(self) -> str:
        """The alias of the database on whose connection jobs are sent."""
        return str(self.options.get("database", "default"))

    @property
    def own_stanzas(self) -> dict[str, str]:
        """Ids of tasks in jobs.yaml, by function or queue."""
        return dict(self.options.get("tasks", {}))

    def stanza(self, function: str, queue_name: str) -> str:
        """Id of the task in jobs.yaml for a function."""
        own = self.own_stanzas
        return own.get(function) or own.get(queue_name) or str(self.options.get("task", "django"))

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Send a job; it exists when the transaction of Django's connection commits.

        Raises:
            InvalidTask, TypeError: as Django's own backends.
            UnknownTask, InvalidPayload, QueueFull: as ``zeke_jobs.send``.
        """
        self.validate_task(task)
        call = {"function": task.module_path, "args": args, "kwargs": kwargs, "queue_name": task.queue_name}
        result = new_result(task, {**call, "backend": self.alias}, enqueued_at=timezone.now())
        call |= {"args": result.args, "kwargs": result.kwargs, "backend": self.alias}
        options: dict[str, Any] = {"priority": task.priority}
        if (moment := task.run_after) is not None:
            options["run_at"] = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
        name = self.stanza(task.module_path, task.queue_name)
        with tracing.sending(name):
            sent = tracing.sent(self._perform(sending.one(name, call, options)))
        object.__setattr__(result, "id", str(sent.id))
        signals.task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> Any:
        """The result as the job is now; sensitive fields of its payload are ``***``.

        Raises TaskResultDoesNotExist if no kept job of a function with ``@task`` has this id.
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

    def check(self, **_kwargs: Any) -> Iterable[Any]:
        """The faults of the settings, for ``manage.py check``."""
        from zeke_jobs.django.checks import faults

        return faults(self)

    def _perform(self, plan: Plan[P, T], *args: P.args, **options: P.kwargs) -> T:
        if drivers.stand_in is not None:  # a test without a database
            return drivers.perform(None, plan, *args, **options)
        connection = connections[self.database]
        connection.validate_no_broken_transaction()
        connection.ensure_connection()
        with connection.wrap_database_errors:
            return drivers.perform(connection.connection, plan, *args, **options)
