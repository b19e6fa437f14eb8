"""Runs one claimed job: checks its payload, calls the handler with its timeout, and sets one outcome."""

import logging
import os
import sys
import threading
from asyncio import CancelledError
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from dramatiq.middleware import Middleware, SkipMessage
from structlog.contextvars import bound_contextvars

from zeke_jobs.core.logs import get_logger
from zeke_jobs.core.redaction import redact
from zeke_jobs.errors import ClaimLost, InvalidPayload, Reject, Retry, Throttled
from zeke_jobs.worker.claim.claims import Claim, JobMessage
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Ended, Outcome, Settled, limit_of, of_exception
from zeke_jobs.worker.run import job_log, tracing
from zeke_jobs.worker.run.chunk import JobChunk, encoded, end_of
from zeke_jobs.worker.run.event_loop import Call, end_child
from zeke_jobs.worker.run.interrupts import Interrupt, Interrupts, Lost
from zeke_jobs.worker.run.job_context import JobContext
from zeke_jobs.worker.run.loop_context import LoopContext
from zeke_jobs.worker.run.payload import validated
from zeke_jobs.worker.run.reports import Shared
from zeke_jobs.worker.runtime import RunnableTask


class _AttemptResult(NamedTuple):
    """The result of one attempt: its outcome, and the value or exception of the handler for dramatiq's middleware.

    For a chunk the outcome is None: the message of each of its jobs has its own.
    """

    outcome: Outcome | None
    result: Any = None
    error: BaseException | None = None


_Steps: TypeAlias = "Generator[Call, Any, _AttemptResult]"

#: A handler raises these to decide how its job goes on. Their traceback is not logged, because it explains nothing.
_DECISIONS = (Reject, Retry, InvalidPayload)


class Executor(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Remembers the message that each thread works on; ``run`` is the function of every actor, ``steps`` is for async handlers.

    ``begin`` records that a job starts. If the job must not start, because it was handed back or may have been rescued, it
    returns an outcome instead.
    """

    def __init__(self, shared: Shared, interrupts: Interrupts, begin: Callable[[Claim], Outcome | None]) -> None:
        self._shared = shared
        self._runtime = shared.runtime
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
        if (runnable := self._runtime.tasks.get(message.claim.task)) is not None:
            marked = (field for one in message.members for field in one.claim.sensitive)
            message.sensitive = frozenset({*runnable.task.sensitive, *marked})

    def after_skip_message(self, _broker: object, message: JobMessage) -> None:
        """End the job of a message that a middleware skipped: failed if the message is failed, else completed."""
        for one in message.members:
            if one.outcome is None:
                with message.hiding():
                    why = redact(str(getattr(message, "_exception", None) or ""))
                reason = f"a middleware skipped it before its handler began{why and ': '}{why}"
                failed = Ended("failed", reason=reason, error={"type": "SkipMessage", "message": reason})
                one.outcome = self._begin(one.claim) or (failed if message.failed else Completed())
                self._log.info(reason, task=one.claim.task, job_id=str(one.claim.id), failed=message.failed)

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
        """Do the same as ``run``. Yields the call of an async handler, and gets its result or exception.

        The steps before and after that call may block, and so need a thread.
        """
        for one in message.members:
            one.outcome = self._begin(one.claim)
        running = [one for one in message.members if one.outcome is None]
        if not running:
            raise SkipMessage("its job does not start here")
        ended = yield from self._attempt(message, running)
        for one in running:
            one.outcome = one.outcome or ended.outcome
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

    def _attempt(self, message: JobMessage, running: list[JobMessage]) -> _Steps:
        claim = running[0].claim
        runnable = self._runtime.tasks.get(claim.task)
        if (
            runnable is None
            or runnable.handler.is_async is not claim.is_async
            or (message.others and not runnable.handler.takes_chunk)
        ):
            # Since the claim, the task has left jobs.yaml or got a handler of another kind. Return the job, to be claimed anew.
            return _AttemptResult(Ended("returned"))
        call = self._guarded_chunk if runnable.handler.takes_chunk else self._guarded_call
        with message.hiding(), tracing.attempt(claim, running[0].traceparent) as span:
            # Bind the job to every line that any library logs while the handler runs, so that a job's lines are found by its id.
            job = {"task": claim.task, "job_id": str(claim.id), "attempt": claim.attempt + 1}
            with bound_contextvars(**job, **tracing.trace_id(span)):
                ended = yield from call(running, runnable)
            tracing.end(span, ended.outcome or running[0].outcome or RETURNED)
            return ended

    def _guarded_call(self, running: list[JobMessage], runnable: RunnableTask) -> _Steps:
        claim, views = running[0].claim, list[Any]()
        try:
            with job_log.keeping(claim, runnable.task):
                result = yield from self._call(claim, [claim], runnable, validated(running[0], runnable), views)
                if views[0].completed:
                    return _AttemptResult(Settled(), result if views[0].output is None else views[0].output)
                return _AttemptResult(Completed(encoded(result)), result)
        except BaseException as error:  # noqa: BLE001 (it ends in the job's row, where people look)
            return _AttemptResult(self._ended(claim, error), error=error)

    def _guarded_chunk(self, running: list[JobMessage], runnable: RunnableTask) -> _Steps:
        """Run a chunk. Sets an outcome on the message of each of its jobs."""
        lead, result = running[0].claim, None
        error: BaseException | None = None
        fit, payloads, views = list[JobMessage](), list[Any](), list[Any]()
        for one in running:
            try:
                payloads.append(validated(one, runnable))
                fit.append(one)
            except InvalidPayload as fault:
                one.outcome = self._ended(one.claim, fault)
        try:
            with job_log.keeping(lead, runnable.task):
                if fit:
                    result = yield from self._call(lead, [one.claim for one in fit], runnable, payloads, views)
                    if result is not None and not (isinstance(result, list) and len(result) == len(fit)):
                        got = f"a list of {len(result)}" if isinstance(result, list) else type(result).__name__
                        # Another run would repeat its effects and return the same.
                        error = Reject(f"expected a list of {len(fit)} outputs, or None, got {got}")
        except BaseException as raised:  # noqa: BLE001 (it ends in the rows of the jobs)
            error = raised
        try:
            for place, one in enumerate(fit):
                one.claim.log = lead.log
                end = end_of(views[0], place, result, error) if views else error or RETURNED
                if isinstance(end, BaseException):
                    end = self._ended(one.claim, end, is_told=end is error and place > 0)
                one.outcome = end
            return _AttemptResult(None, result, error)
        finally:
            del error  # for the same reason as in steps

    def _ended(self, claim: Claim, error: BaseException, *, is_told: bool = False) -> Ended:
        """The outcome of a job whose handler raised. ``is_told``: the traceback is already in the log."""
        if isinstance(error, Lost):
            self._log.warning("handler stopped", task=claim.task, job_id=str(claim.id), reason=str(error))
            return RETURNED
        policy = self._runtime.policy(claim.task, claim.retry)
        outcome = of_exception(error, policy, retries=claim.retries)
        if isinstance(error, ClaimLost):
            # If the job was cancelled, the database records that instead; if it was rescued, the fence refuses our end.
            self._log.warning("claim lost", task=claim.task, job_id=str(claim.id), reason=str(error))
        else:
            has_traceback = not (is_told or isinstance(error, _DECISIONS))
            self._log_end(claim, outcome, limit_of(error, policy), has_traceback=has_traceback)
        return outcome

    def _call(
        self, lead: Claim, claims: list[Claim], runnable: RunnableTask, payload: Any, views: list[Any]
    ) -> Generator[Call, Any, Any]:
        """Call the handler for these jobs, and return its result. Adds the handler's context to ``views``."""
        pid, usual = os.getpid(), runnable.task.timeout.total_seconds()
        timeout = max(claim.timeout or usual for claim in claims)
        kind = LoopContext if lead.is_async else JobContext
        with self._interrupts.running(lead.id, timeout, is_async=lead.is_async) as running:
            contexts = [kind(claim, self._shared, running, runnable.settings) for claim in claims]
            for one in contexts if len(contexts) > 1 and not lead.is_async else ():
                one.mates = contexts
            is_chunk = runnable.handler.takes_chunk
            context: Any = JobChunk(contexts, lambda i: claims[i].cancelled) if is_chunk else contexts[0]
            views.append(context)
            call, result = partial(runnable.handler.function, payload, context), None
            try:
                result = (yield Call(lead, running, call)) if lead.is_async else call()
            except (Exception, Interrupt, CancelledError) as error:
                if not all(one.completed for one in contexts):
                    if isinstance(error, Throttled):
                        try:
                            contexts[0].throttled(error.limit, error.retry_after, error.reason)
                        except ValueError as unknown:  # jobs.yaml has no such limit: only this job waits
                            contexts[0].logger.warning("nothing closed", limit=error.limit, reason=str(unknown))
                    raise
                context.logger.exception("raised after its completion was committed; the job stays completed")
            finally:
                if os.getpid() != pid:
                    end_child(sys.exception())
                for one in contexts:
                    one.close()
        if running.interrupt is not None and not all(one.completed for one in contexts):
            raise running.interrupt  # the handler caught the interrupt and returned
        return result

    def _log_end(self, claim: Claim, outcome: Ended, limit: int, *, has_traceback: bool) -> None:
        log = self._log.bind(task=claim.task, job_id=str(claim.id), attempt=claim.attempt + 1)
        if outcome.how not in ("failed", "retry"):
            log.info(outcome.how, reason=outcome.reason)
            return
        error = outcome.error or {}
        log = log.bind(error=error.get("type"), reason=error.get("message"), limit=limit)
        if has_traceback:
            log = log.bind(exception=error.get("traceback", "").rstrip())
        if outcome.how == "failed":
            log.error("failed", retries=claim.retries)
        else:
            log.warning("will be retried", delay=round(outcome.delay or 0.0, 3), retry=claim.retries + 1)


def _is_wanted(record: logging.LogRecord) -> bool:
    """False for dramatiq's lines about the end of our jobs: the executor logs that itself, without the payload."""
    args = record.args
    return not (isinstance(args, tuple) and args and isinstance(args[0], JobMessage) and record.levelno > logging.DEBUG)
