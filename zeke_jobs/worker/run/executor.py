"""Runs one claimed job: takes its payload, calls the handler under its timeout, and leaves one outcome."""

from __future__ import annotations

import logging
import os
import sys
import threading
from asyncio import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dramatiq.middleware import Middleware, SkipMessage
from pydantic import ValidationError
from structlog.contextvars import bind_contextvars, reset_contextvars

from zeke_jobs.core.logs import get_logger
from zeke_jobs.core.redaction import hiding, redact
from zeke_jobs.errors import ClaimLost, InvalidPayload, Reject, Retry, Throttled
from zeke_jobs.payload import json_text
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Ended, Outcome, Settled, limit_of, of_exception
from zeke_jobs.worker.run import dramatiq_options, job_log, tracing
from zeke_jobs.worker.run.event_loop import Call, end_child
from zeke_jobs.worker.run.interrupts import Interrupt, Interrupts, Lost
from zeke_jobs.worker.run.job_context import JobContext
from zeke_jobs.worker.run.loop_context import LoopContext

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from uuid import UUID

    from pydantic import BaseModel

    from zeke_jobs.postgres.pool import Pool
    from zeke_jobs.worker.claim.claims import Claim
    from zeke_jobs.worker.runtime import RunnableTask, Runtime


class _AttemptResult(NamedTuple):
    """The result of one attempt: its end, and the value or exception of the handler that dramatiq's middleware gets."""

    outcome: Outcome
    result: Any = None
    error: BaseException | None = None


_Steps: TypeAlias = "Generator[Call, Any, _AttemptResult]"

#: A handler raises these to decide how its job goes on; their traceback explains nothing.
_DECISIONS = (Reject, Retry, InvalidPayload)


class Executor(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Remembers the message that each thread works on; ``run`` is the function of every actor, ``steps`` is for async handlers.

    ``begin`` records that a job starts. If the job must not start, because it was handed back or may have been rescued, it
    returns an outcome instead.
    ``pool`` has a connection for each thread; ``statement_pool`` is for short statements outside the handler's transaction.
    """

    def __init__(
        self,
        runtime: Runtime,
        pool: Pool,
        interrupts: Interrupts,
        begin: Callable[[Claim], Outcome | None],
        *,
        statement_pool: Pool,
    ) -> None:
        self.worker: UUID | None = None
        self._runtime = runtime
        self._pool = pool
        self._statement_pool = statement_pool
        self._interrupts = interrupts
        self._begin = begin
        self._current = threading.local()
        self._log = get_logger("zeke_jobs.executor")
        logging.getLogger("dramatiq.worker.WorkerThread").addFilter(_is_wanted)

    @property
    def actor_options(self) -> set[str]:
        """Declare ``periodic``, which periodiq needs, and ``throws``, which tells middleware which exceptions are no errors."""
        return {"periodic", "throws"}

    def before_process_message(self, _broker: object, message: JobMessage) -> None:
        """Remember the message for ``run``, because dramatiq calls it next in this thread with only the payload."""
        if not message.claim.is_async:
            self._current.message = message
        if (runnable := self._runtime.find(message.claim.task)) is not None:
            message.sensitive = frozenset({*runnable.task.sensitive, *message.claim.sensitive})

    def after_skip_message(self, _broker: object, message: JobMessage) -> None:
        """End the job of a message that a middleware skipped: failed if the message is failed, else completed."""
        if message.outcome is None:
            with hiding(message.kwargs, message.sensitive):
                reason = f"a middleware skipped it before its handler began{_reason_of(message)}"
            failed = Ended("failed", reason=reason, error={"type": "SkipMessage", "message": reason})
            message.outcome = self._begin(message.claim) or (failed if message.failed else Completed())
            self._log.info(reason, task=message.claim.task, job_id=str(message.claim.id), failed=message.failed)

    def run(self, *_args: Any, **_payload: Any) -> Any:
        """Run the job of this thread's message. Leaves the outcome on the message, and returns or raises as the handler does.

        Raises:
            SkipMessage: the handler was not called, because the job has ended or goes back to the queue.
            TypeError: a program called the actor, which only Dramatiq's worker does.
        """
        message: JobMessage | None = self._current.__dict__.pop("message", None)
        if message is None:
            raise TypeError(
                "expected a job, got a call of its actor; send it: actor.send(…), or call the handler itself"
            )
        try:
            next(self.steps(message))
        except StopIteration as end:
            return end.value
        raise AssertionError("a job of a thread yields nothing")

    def steps(self, message: JobMessage) -> Generator[Call, Any, Any]:
        """As ``run``; yields the call of an async handler, and is sent its result or exception.

        What comes before and after that call may block, and so needs a thread.
        """
        message.outcome = self._begin(message.claim)
        if message.outcome is not None:
            raise SkipMessage("its job does not start here")
        ended = yield from self._attempt(message)
        message.outcome = ended.outcome
        if isinstance(ended.outcome, Ended):
            if ended.outcome.how == "failed":
                message.fail()
            if ended.error is None:
                raise SkipMessage("its task has left jobs.yaml")
        if ended.error is not None:
            try:
                raise ended.error
            finally:
                del ended  # else error and frame would hold each other in memory
        return ended.result

    def _attempt(self, message: JobMessage) -> _Steps:
        claim = message.claim
        runnable = self._runtime.find(claim.task)
        if runnable is None or runnable.handler.is_async is not claim.is_async:
            # Since the claim the task left jobs.yaml, or got a handler of the other kind: another claim may do better.
            return _AttemptResult(Ended("returned"))
        with hiding(message.kwargs, message.sensitive), tracing.attempt(claim, message.traceparent) as attempt:
            trace = {"trace_id": attempt.trace_id} if attempt.trace_id else {}
            # Bind the job to every line that any library logs while the handler runs, so that a job's lines are found by its id.
            bound = bind_contextvars(task=claim.task, job_id=str(claim.id), attempt=claim.attempt + 1, **trace)
            try:
                ended = yield from self._guarded_call(message, runnable)
            finally:
                reset_contextvars(**bound)
            attempt.end(ended.outcome)
            return ended

    def _guarded_call(self, message: JobMessage, runnable: RunnableTask) -> _Steps:
        claim = message.claim
        policy = self._runtime.policy(claim.task, claim.retry)
        retries = claim.attempt - claim.attempt_base
        try:
            with job_log.keeping(claim, runnable.task):
                return (yield from self._call(claim, runnable, _validated(message, runnable)))
        except ClaimLost as error:
            self._log.warning("claim lost", task=claim.task, job_id=str(claim.id), reason=str(error))
            # If the job was cancelled, the database records that instead; if it was rescued, the fence refuses our end.
            return _AttemptResult(of_exception(error, policy, retries=retries), error=error)
        except Lost as error:
            self._log.warning("handler stopped", task=claim.task, job_id=str(claim.id), reason=str(error))
            return _AttemptResult(RETURNED, error=error)
        except BaseException as error:  # noqa: BLE001 (it ends in the job's row, where people look)
            outcome = of_exception(error, policy, retries=retries)
            self._log_end(
                claim, outcome, retries, limit_of(error, policy), has_traceback=not isinstance(error, _DECISIONS)
            )
            return _AttemptResult(outcome, error=error)

    def _call(self, claim: Claim, runnable: RunnableTask, payload: BaseModel) -> _Steps:
        assert self.worker is not None
        pid = os.getpid()
        timeout = claim.timeout or runnable.task.timeout.total_seconds()
        with self._interrupts.running(claim.id, timeout, is_async=claim.is_async) as running:
            context = (LoopContext if claim.is_async else JobContext)(
                claim,
                self.worker,
                self._runtime,
                self._pool,
                running,
                runnable.settings,
                statement_pool=self._statement_pool,
            )
            result = None
            try:
                if claim.is_async:
                    result = yield Call(claim, running, partial(runnable.handler.function, payload, context))
                else:
                    result = runnable.handler.function(payload, context)
            except (Exception, Interrupt, CancelledError) as error:
                if not context.completed:
                    if isinstance(error, Throttled):
                        _throttle(context, error)
                    raise
                context.logger.exception("raised after its completion was committed; the job stays completed")
            finally:
                if os.getpid() != pid:
                    end_child(sys.exception())
                context.close()
        if context.completed:
            return _AttemptResult(Settled(), result if context.output is None else context.output)
        if running.interrupt is not None:
            raise running.interrupt  # the handler caught the interrupt and returned
        try:
            return _AttemptResult(Completed(json_text.encode(result)), result)
        except json_text.UnfitForJson as error:
            # Another run would repeat its effects and return the same output.
            raise Reject(f"the output cannot be stored: {error}") from None

    def _log_end(self, claim: Claim, outcome: Ended, retries: int, limit: int, *, has_traceback: bool) -> None:
        log = self._log.bind(task=claim.task, job_id=str(claim.id), attempt=claim.attempt + 1)
        error = outcome.error or {}
        if outcome.how in ("failed", "retry") and has_traceback:
            log = log.bind(exception=error.get("traceback", "").rstrip())
        if outcome.how == "failed":
            log.error("failed", error=error.get("type"), reason=error.get("message"), retries=retries, limit=limit)
        elif outcome.how == "retry":
            log.warning(
                "will be retried",
                error=error.get("type"),
                reason=error.get("message"),
                delay=round(outcome.delay or 0.0, 3),
                retry=retries + 1,
                limit=limit,
            )
        else:
            log.info(outcome.how, reason=outcome.reason)


def _is_wanted(record: logging.LogRecord) -> bool:
    """False for dramatiq's lines about the end of our jobs: the executor logs that itself, without the payload."""
    args = record.args
    return not (isinstance(args, tuple) and args and isinstance(args[0], JobMessage) and record.levelno > logging.DEBUG)


def _reason_of(message: JobMessage) -> str:
    """The reason that a middleware gave when it failed and skipped a message."""
    reason = str(getattr(message, "_exception", None) or "")
    return f": {redact(reason)}" if reason else ""


def _throttle(context: JobContext, throttled: Throttled) -> None:
    try:
        context.throttled(throttled.limit, throttled.retry_after, throttled.reason)
    except ValueError as error:  # jobs.yaml has no such limit: only this job waits
        context.logger.warning("nothing closed", limit=throttled.limit, reason=str(error))


def _validated(message: JobMessage, runnable: RunnableTask) -> BaseModel:
    if message.claim.fault is not None:
        raise message.claim.fault
    dramatiq_options.check(message.options)
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
