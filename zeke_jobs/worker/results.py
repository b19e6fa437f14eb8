"""Dramatiq's interface to outputs: ``message.get_result()`` for jobs of this broker."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from dramatiq.results import ResultBackend, ResultFailure, ResultMissing, ResultTimeout

from zeke_jobs.client import drivers, listening, reading
from zeke_jobs.client.options import as_id
from zeke_jobs.errors import JobFailed, JobNotFound

if TYPE_CHECKING:
    from dramatiq.message import Message

_DEFAULT_TIMEOUT = 10_000  # milliseconds; dramatiq's own


class JobResultBackend(ResultBackend):  # type: ignore[misc] # dramatiq has no types
    """Reads outputs from the jobs' own rows, where each end writes them; stores nothing itself."""

    def store_result(self, message: Message, result: Any, ttl: int) -> None:
        """Do nothing: the job's end writes the output."""

    def store_exception(self, message: Message, exception: BaseException, ttl: int) -> None:
        """Do nothing: the job's end writes the failure."""

    def get_result(self, message: Message, *, block: bool = False, timeout: int | None = None) -> Any:
        """The output of a message's job; ``timeout`` is in milliseconds.

        Raises:
            dramatiq.results.ResultMissing: the job has not ended, and ``block`` is False.
            dramatiq.results.ResultTimeout: it did not end in time.
            dramatiq.results.ResultFailure: it failed or was cancelled.
        """
        job_id = as_id("message_id", message.message_id)
        if block:
            deadline = monotonic() + (_DEFAULT_TIMEOUT if timeout is None else timeout) / 1000
            listening.listener().wait(job_id, deadline)
        try:
            job, output = drivers.perform(None, reading.result, job_id)
        except JobNotFound as error:
            raise ResultMissing(message) from error
        except JobFailed as error:
            failure = error.job.error or {}
            raise ResultFailure(str(error), failure.get("type", error.job.status), failure.get("message", "")) from None
        if not job.has_ended:
            raise (ResultTimeout if block else ResultMissing)(message)
        return output
