"""Turns the result or exception of a handler into the outcome of the attempt."""

import contextlib
import json
import os
import random
from datetime import datetime, timedelta
from pathlib import Path
from traceback import StackSummary, TracebackException
from typing import Any, Literal, NamedTuple

import dramatiq
from dramatiq.errors import RateLimitExceeded

from zeke_jobs.config.models import Retry
from zeke_jobs.core import bounds
from zeke_jobs.core.redaction import redact, redacted
from zeke_jobs.errors import ClaimLost, Defer, InvalidPayload, Reject, Retry as RetryRequested, WaitFor
from zeke_jobs.payload import json_text
from zeke_jobs.worker.run.interrupts import Cancelled, Interrupt, Lost, TimedOut

_LONGEST_TRACEBACK = 16_000  # characters; the end is kept, because the innermost frames help most
_LONGEST_MESSAGE = 4_000
_REST = " " * 524_000  # longer than all other parts of an error: the details must fit beside it
_OURS = (f"{Path(__file__).parents[2]}{os.sep}", contextlib.__file__)  # files whose frames do not come from the handler


class Outcome(NamedTuple):
    """Describes how an attempt ended."""

    how: Literal["completed", "settled", "retry", "deferred", "waiting", "returned", "failed", "cancelled"]
    output: str = "null"  # the handler's result as JSON text
    delay: float | None = None  # seconds
    until: datetime | None = None  # the time of the next attempt; takes precedence over ``delay``
    reason: str | None = None  # if the attempt waits for an event, the event's name
    error: dict[str, Any] | None = None
    breaks: bool = False  # circuit breakers count this outcome as a failure


DONE = ("completed", "settled")
SETTLED = Outcome("settled")  # the end is already written: ``ctx.complete`` wrote it, or the claim is lost
RETURNED = Outcome("returned")
#: These exceptions of a handler are not errors. Dramatiq's option ``throws`` passes them to middleware.
EXPECTED = (RetryRequested, Defer, Reject, ClaimLost, Cancelled, Lost, dramatiq.Retry, RateLimitExceeded)
_LIMITED = (1.0, 3.0)  # seconds that a job waits when dramatiq's rate limiter refuses it


def backoff(policy: Retry, retry: int, *, chance: float | None = None) -> float:
    """Return the seconds before a retry. The delay grows exponentially with each retry, and has a random jitter.

    ``retry`` is 1 for the first retry. ``chance`` (0 to 1) replaces the random number of the jitter.
    """
    longest = policy.max_delay.total_seconds()
    try:
        seconds = min(longest, policy.delay.total_seconds() * policy.factor ** (retry - 1))
    except OverflowError:  # the power is larger than any float
        seconds = longest if policy.delay else 0.0
    moved = seconds * (1 + policy.jitter * (2 * (random.random() if chance is None else chance) - 1))  # noqa: S311
    return min(longest, max(0.0, moved))


def of_exception(error: BaseException, policy: Retry, *, retries: int) -> Outcome:
    """Return the outcome of a job whose handler raised ``error`` after ``retries`` retries.

    An incomplete exception, such as a ``Defer`` that never called ``super().__init__``, fails the job.
    """
    try:
        return _of_exception(error, policy, retries)
    except Exception as broken:  # noqa: BLE001 (this is code of an exception; the error is stored in the job's row)
        reason = f"{type(error).__name__} does not decide about the job: {type(broken).__name__}: {text_of(broken)}"
        described = {**describe(broken), "type": type(error).__name__, "message": reason}
        return Outcome("failed", reason=reason, error=described)


def _of_exception(error: BaseException, policy: Retry, retries: int) -> Outcome:
    # Check the exception's fields here too, because a subclass may set them without calling ``super().__init__``.
    match error:
        case WaitFor():
            seconds = bounds.delay("timeout", error.timeout).total_seconds()
            return Outcome("waiting", delay=seconds, reason=error.event)
        case RateLimitExceeded():
            return Outcome("deferred", delay=random.uniform(*_LIMITED), reason=text_of(error))  # noqa: S311
        case Defer(until=datetime() as until):
            return Outcome("deferred", until=bounds.moment("until", until), reason=text_of(error))
        case Defer():
            seconds = bounds.delay("until", error.until).total_seconds()  # type: ignore[arg-type] # no datetime
            return Outcome("deferred", delay=seconds, reason=text_of(error))
        case Cancelled():
            return Outcome("cancelled", reason=text_of(error))
        case Reject() | InvalidPayload():
            return Outcome("failed", reason=text_of(error), error=describe(error))
        case Interrupt() if not isinstance(error, TimedOut):
            return RETURNED
    if retries >= limit_of(error, policy):
        return Outcome("failed", reason=text_of(error) or None, error=describe(error), breaks=True)
    asked = _delay_of(error)
    delay = backoff(policy, retries + 1) if asked is None else bounds.delay("delay", asked).total_seconds()
    return Outcome("retry", delay=delay, reason=text_of(error) or None, error=describe(error), breaks=True)


def _delay_of(error: BaseException) -> timedelta | float | None:
    if isinstance(error, dramatiq.Retry):
        return None if error.delay is None else error.delay / 1000
    return error.delay if isinstance(error, RetryRequested) else None


def of_shutdown(policy: Retry) -> Outcome:
    """Return the outcome of a job whose worker stops: it goes back into the queue, or fails if it allows no retry."""
    reason = "the worker stopped before the job had ended"
    if policy.limit:
        return Outcome("returned", reason=reason)
    reason += "; no retries allowed"
    return Outcome("failed", reason=reason, error={"type": "WorkerStopped", "message": reason})


def failed_by_middleware(outcome: Outcome | None) -> Outcome | None:
    """Turn the outcome of a job into a failure, because a middleware has marked the job's message as failed."""
    if outcome and outcome.how in ("retry", "deferred", "waiting"):
        return outcome._replace(how="failed", delay=None, until=None)
    if outcome and outcome.how == "completed":
        reason = "a middleware failed its message"
        return Outcome("failed", reason=reason, error={"type": "MessageFailed", "message": reason})
    return outcome


def limit_of(error: BaseException, policy: Retry) -> int:
    """Return the retry limit for a job whose handler raised ``error``."""
    limit = getattr(error, "limit", None) if isinstance(error, RetryRequested) else None
    return limit if isinstance(limit, int) else policy.limit


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as stored with an attempt: type, message, and traceback (without values of variables)."""
    described: dict[str, Any] = {
        "type": type(error).__name__,
        "message": text_of(error),
        "traceback": redact(_storable(_printed(error)))[-_LONGEST_TRACEBACK:],
    }
    if isinstance(error, Reject) and error.details is not None:
        described["details"] = _details(error.details)
    return described


def _details(details: Any) -> Any:
    """Return the details of a ``Reject``, or a note if they are too large for the job's row or an ``on_failed`` payload."""
    try:
        value = json.loads(json_text.encode(details))
        json_text.encode([[[[value]]], _REST])
    except json_text.UnfitForJson as unfit:
        return f"not kept: {unfit}"
    return redacted(value)


def _printed(error: BaseException) -> str:
    """Return the traceback as Python prints it, without frames of zeke_jobs. The frame that raised the exception stays."""
    printed = TracebackException(type(error), error, error.__traceback__, compact=True)
    parts = [printed]
    while parts:
        part = parts.pop()
        *callers, raised = part.stack or (None,)
        shown = [one for one in callers if one and not one.filename.startswith(_OURS)]
        part.stack = StackSummary.from_list([*shown, *([raised] if raised else [])])
        parts += filter(None, (part.__cause__, part.__context__, *(part.exceptions or ())))
    return "".join(printed.format())


def kept(text: str) -> str:
    """Shorten a text, and remove secrets and characters that Postgres cannot store."""
    return redact(_storable(text))[:_LONGEST_MESSAGE]


def text_of(error: BaseException) -> str:
    """Return an exception's text, shortened and cleaned by ``kept``."""
    try:
        return kept(str(error))
    except Exception as broken:  # noqa: BLE001 (this is code of an exception; the text names both errors)
        return f"{type(error).__name__}, whose text cannot be read ({type(broken).__name__})"


def _storable(text: str) -> str:
    # jsonb refuses NUL and lone surrogates, and an error must not be lost because of its text.
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace").decode()
