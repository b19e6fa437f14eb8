"""Adds the job to Sentry events and removes secrets from them, if a program uses Sentry's integration for dramatiq."""

from functools import partial
from typing import Any

from dramatiq.middleware import Middleware

from zeke_jobs.core.redaction import redacted
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.finish.outcome import DONE


class SentryEvents(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Adds tags to Sentry's events of a job. Needs ``sentry_sdk``'s ``DramatiqIntegration``, which reports exceptions.

    The tags are ``task``, ``job_id``, ``attempt`` and, after a failed attempt, ``outcome`` (``retry`` or ``failed``).
    """

    def __init__(self) -> None:
        from sentry_sdk.integrations.logging import ignore_logger

        # The executor logs a line about each failed attempt. Sentry would make a second event of this line.
        ignore_logger("zeke_jobs.executor")

    def before_process_message(self, _broker: object, message: JobMessage) -> None:
        """Tag all Sentry events of this job."""
        import sentry_sdk

        if sentry_sdk.get_client().get_integration("dramatiq") is None:
            return
        scope, claim = sentry_sdk.get_current_scope(), message.claim
        for name, value in (("task", claim.task), ("job_id", str(claim.id)), ("attempt", str(claim.attempt + 1))):
            scope.set_tag(name, value)
        scope.add_event_processor(partial(_of_job, message))


def _of_job(message: JobMessage, event: Any, _hint: object) -> Any:
    """Add the outcome to a Sentry event, and remove local variables from it if the job has sensitive fields."""
    if message.outcome is not None and message.outcome.how not in DONE:
        event.setdefault("tags", {})["outcome"] = message.outcome.how
    with message.hiding():
        return _cleaned(event, has_variables=not message.sensitive)


def _cleaned(value: Any, *, has_variables: bool) -> Any:
    """Redact the texts inside a value. Modules, files and lines in stack frames are code, and stay unchanged."""
    cleaned, frame = (partial(one, has_variables=has_variables) for one in (_cleaned, _frame))
    match value:
        case dict():
            return {key: [*map(frame, item)] if key == "frames" else cleaned(item) for key, item in value.items()}
        case list() | tuple():
            return [*map(cleaned, value)]
    return redacted(value)


def _frame(frame: dict[str, Any], *, has_variables: bool) -> dict[str, Any]:
    shown = {key: item for key, item in frame.items() if key != "vars"}
    return {**shown, "vars": redacted(frame["vars"])} if has_variables and "vars" in frame else shown
