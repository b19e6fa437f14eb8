"""Reads the payload of a message, and lists the options of Dramatiq's messages that zeke_jobs does not support."""

from pydantic import BaseModel, ValidationError

from zeke_jobs.core.quoting import quote
from zeke_jobs.errors import InvalidPayload
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.runtime import RunnableTask

_AFTER_GROUP = "zeke_jobs.batch with then=: a job is sent when all jobs of the batch have ended"
_AFTER_FAILURE = "on_failed: in a task of jobs.yaml names one that gets its failed jobs"
_FOLLOWS = {
    **dict.fromkeys(("pipe_target", "pipe_ignore", "on_success"), "the handler sends the next job itself: ctx.send"),
    **dict.fromkeys(("on_failure", "on_retry_exhausted"), _AFTER_FAILURE),
    **dict.fromkeys(("group_completion_uuid", "group_completion_callbacks"), _AFTER_GROUP),
}
INSTEAD = {
    **_FOLLOWS,
    "max_retries": "retry= is the number of retries",
    **dict.fromkeys(("min_backoff", "max_backoff", "retry_when"), "retry: in a task of jobs.yaml"),
    "time_limit": "timeout= has the seconds",
    "throws": "a handler raises Reject",
    **dict.fromkeys(("store_results", "result_ttl"), "each output is stored with its job; keep= says for how long"),
    "periodic": "cron: in a task of jobs.yaml",
}


def validated(message: JobMessage, runnable: RunnableTask) -> BaseModel:
    """Return the payload of a message as an object of the handler's model. Raises InvalidPayload if it does not fit."""
    if message.claim.fault is not None:
        raise message.claim.fault
    # A program that inserts rows itself may set options for a job that should follow. That job would never run.
    for name in message.options.keys() & _FOLLOWS.keys():
        raise InvalidPayload(f"expected a message after which no other job follows, got {quote(name)}; {INSTEAD[name]}")
    if message.args:
        raise InvalidPayload(f"expected the payload as keywords, got {len(message.args)} positional arguments")
    try:
        return runnable.handler.payload_model.model_validate(message.kwargs)
    except ValidationError as error:
        # Leave out the values: a value may be secret, and the payload has the value anyway.
        found = error.errors(include_input=False, include_url=False)
        faults = [(".".join(map(str, one["loc"])), one["msg"]) for one in found]
        listed = "; ".join(f"{place}: {message}" if place else message for place, message in faults)
        raise InvalidPayload(f"payload does not fit {runnable.task.id}: {listed}", faults) from None
