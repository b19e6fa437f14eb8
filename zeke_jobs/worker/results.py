"""Dramatiq's interface to outputs: ``message.get_result()`` for jobs of this broker."""

from typing import Any

from dramatiq.message import Message
from dramatiq.results import ResultBackend, ResultFailure, ResultMissing, ResultTimeout

from zeke_jobs.client import reading
from zeke_jobs.client.options import as_id
from zeke_jobs.errors import JobFailed, JobNotFound, WaitTimeout

_DEFAULT_TIMEOUT = 10_000  # milliseconds; the same as in dramatiq


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
        within = (_DEFAULT_TIMEOUT if timeout is None else timeout) if block else 0
        try:
            return reading.wait(as_id("message_id", message.message_id), within / 1000)
        except (JobNotFound, WaitTimeout) as error:
            is_late = block and isinstance(error, WaitTimeout)
            raise (ResultTimeout if is_late else ResultMissing)(message) from error
        except JobFailed as error:
            failure = error.job.error or {}
            raise ResultFailure(str(error), failure.get("type", error.job.status), failure.get("message", "")) from None
