"""Takes the payload out of a message."""

from pydantic import BaseModel, ValidationError

from zeke_jobs.core.quoting import quote
from zeke_jobs.errors import InvalidPayload
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.run.dramatiq_options import FOLLOWS, INSTEAD
from zeke_jobs.worker.runtime import RunnableTask


def validated(message: JobMessage, runnable: RunnableTask) -> BaseModel:
    """The payload of a message, as an object of the handler's model.

    Raises:
        InvalidPayload: it does not fit the model, or the row cannot be read.
    """
    if message.claim.fault is not None:
        raise message.claim.fault
    for name in (
        message.options.keys() & FOLLOWS.keys()
    ):  # a program that writes the table itself has set these: they would never run
        raise InvalidPayload(f"expected a message after which no other job follows, got {quote(name)}; {INSTEAD[name]}")
    if message.args:
        raise InvalidPayload(f"expected the payload as keywords, got {len(message.args)} positional arguments")
    try:
        return runnable.handler.payload_model.model_validate(message.kwargs)
    except ValidationError as error:
        # Leave out the values: they may be secret, and the payload has them anyway.
        faults = [
            (".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_input=False, include_url=False)
        ]
        listed = "; ".join(f"{place}: {message}" if place else message for place, message in faults)
        raise InvalidPayload(f"payload does not fit {runnable.task.id}: {listed}", faults) from None
