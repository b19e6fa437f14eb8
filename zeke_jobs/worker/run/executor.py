"""Runs a claimed job: checks its payload, calls the handler within the job's timeout, and sets the job's outcome."""

import logging
import os
import sys
import threading
from asyncio import CancelledError
from collections.abc import Callable, Generator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

from dramatiq.middleware import Middleware, SkipMessage
from structlog.contextvars import bound_contextvars

from zeke_jobs.core.context import ChunkContext
from zeke_jobs.core.logs import capturing, get_logger
from zeke_jobs.core.redaction import redact
from zeke_jobs.errors import ClaimLost, InvalidPayload, Reject, Retry, Throttled
from zeke_jobs.payload import json_text
from zeke_jobs.worker import tracing
from zeke_jobs.worker.claim.claims import Claim, JobMessage
from zeke_jobs.worker.finish.outcome import RETURNED, SETTLED, Outcome, limit_of, of_exception
from zeke_jobs.worker.run.event_loop import Call, end_child
from zeke_jobs.worker.run.interrupts import Interrupt, Lost, Running
from zeke_jobs.worker.run.job_context import JobContext
from zeke_jobs.worker.run.loop_context import LoopContext
from zeke_jobs.worker.run.payload import validated
from zeke_jobs.worker.run.reports import Shared
from zeke_jobs.worker.runtime import RunnableTask

_DECISIONS = (Reject, Retry, InvalidPayload)  # a handler's decisions about its job; their tracebacks explain nothing


class Executor(Middleware):  # type: ignore[misc] # dramatiq has no types
    """Runs claimed jobs. Dramatiq's actors call ``run`` in a thread. The event loop calls ``steps`` for async handlers.

    ``begin`` records that a job starts, or returns an outcome if the job may no longer start in this process.
    """

    def __init__(self, shared: Shared, begin: Callable[[Claim], Outcome | None]) -> None:
        self._shared = shared
        self._runtime = shared.runtime
        self._begin = begin
        self._current = threading.local()
        self._log = get_logger("zeke_jobs.executor")
        logging.getLogger("dramatiq.worker.WorkerThread").addFilter(_is_wanted)

    @property
    def actor_options(self) -> set[str]:
        """Return further options of actors: ``periodic`` for periodiq, and ``throws`` for expected exceptions."""
        return {"periodic", "throws"}

    def before_process_message(self, _broker: object, message: JobMessage) -> None:
        """Remember the message for ``run``, which dramatiq calls next in this thread."""
        if not message.claim.is_async:
            self._current.message = message
        if (runnable := self._runtime.tasks.get(message.claim.task)) is not None:
            marked = (field for one in message.members for field in one.claim.sensitive)
            message.sensitive = frozenset({*runnable.task.sensitive, *marked})

    def after_skip_message(self, _broker: object, message: JobMessage) -> None:
        """Set the outcome of a job that a middleware skipped: failed if its message is failed, otherwise completed."""
        for one in message.members:
            if one.outcome is None:
                with message.hiding():
                    why = redact(str(getattr(message, "_exception", None) or ""))
                reason = f"a middleware skipped it before its handler began{why and ': '}{why}"
                failed = Outcome("failed", reason=reason, error={"type": "SkipMessage", "message": reason})
                one.outcome = self._begin(one.claim) or (failed if message.failed else Outcome("completed"))
                self._log.info(reason, task=one.claim.task, job_id=str(one.claim.id), failed=message.failed)

    def run(self, *_args: Any, **_payload: Any) -> Any:
        """Run the job whose message this thread processes, and set its outcome. Returns or raises as the handler does.

        Raises SkipMessage if the handler was not called, because the job has ended or goes back to the queue.
        """
        message: JobMessage | None = self._current.__dict__.pop("message", None)
        if message is None:
            help_ = "send it: actor.send(…), or call the handler itself"
            raise TypeError(f"expected a job, got a call of its actor; {help_}")
        try:
            next(self.steps(message))
        except StopIteration as end:
            return end.value
        raise AssertionError("a job of a thread yields nothing")

    def steps(self, message: JobMessage) -> Generator[Call, Any, Any]:
        """Do the same as ``run``, but yield an async handler's call, and get the call's result or exception back."""
        for one in message.members:
            one.outcome = self._begin(one.claim)
        begun = [one for one in message.members if one.outcome is None]
        if not begun:
            raise SkipMessage("its job does not start here")
        claim, runnable = begun[0].claim, self._runtime.tasks.get(message.claim.task)
        fits = runnable is not None and runnable.handler.is_async is claim.is_async
        if runnable is None or not fits or (message.others and not runnable.handler.takes_chunk):
            # Put the jobs back into the queue. Since the claim, the task was removed, or its kind of handler changed.
            for one in begun:
                one.outcome = RETURNED
            raise SkipMessage("its task has left jobs.yaml")
        # Every line that any library logs while the handler runs gets the job's task, id and attempt.
        job = {"task": claim.task, "job_id": str(claim.id), "attempt": claim.attempt + 1}
        with message.hiding(), tracing.attempt(begun[0]) as trace, bound_contextvars(**job, **trace):
            result, error = yield from self._attempt(begun, runnable)
        if all(one.outcome and one.outcome.how == "failed" for one in begun):
            message.fail()
        if error is not None:
            try:
                raise error
            finally:
                del error  # otherwise error and frame would keep each other in memory
        return result

    def _attempt(
        self, begun: list[JobMessage], runnable: RunnableTask
    ) -> Generator[Call, Any, tuple[Any, BaseException | None]]:
        """Run the handler, and set each job's outcome. Returns the result and the exception or None, for middleware."""
        lead, task, result = begun[0].claim, runnable.task, None
        payloads: dict[JobMessage, Any] = {}
        ends: dict[JobMessage, Outcome | BaseException] = {}
        views: list[Any] = []
        error: BaseException | None = None
        end: Outcome | BaseException | None = None
        told: BaseException | None = None  # the exception whose traceback the log already has
        keeps = task.log != "never" and task.log_lines > 0
        try:
            with capturing(task.log_lines, always=task.log == "always") if keeps else nullcontext() as lead.log:
                for one in begun:
                    try:
                        payloads[one] = validated(one, runnable)
                    except InvalidPayload as fault:
                        ends[one] = fault
                if payloads:
                    result = yield from self._call(payloads, runnable, views)
        except BaseException as raised:  # noqa: BLE001 (the exception is stored in the rows of the jobs)
            error = raised
        view = views[0] if views else None
        try:
            for place, one in enumerate([one for one in begun if one not in ends]):
                one.claim.log = lead.log
                ends[one] = _end_of(view, place, result, error)
            for one, end in ends.items():
                one.outcome = (
                    self._ended(one.claim, end, is_told=end is told) if isinstance(end, BaseException) else end
                )
                told = error if end is error else told
            if isinstance(view, ChunkContext):
                return result, error
            if view is not None and view.completed and view.output is not None:
                result = view.output
            return result, end if error is None and isinstance(end, BaseException) else error
        finally:
            del error, ends, end, told  # these would keep frames in memory, as in steps

    def _ended(self, claim: Claim, error: BaseException, *, is_told: bool = False) -> Outcome:
        """Return the outcome of a job whose handler raised ``error``. If ``is_told``, the log already has the traceback."""
        if isinstance(error, Lost):
            self._log.warning("handler stopped", task=claim.task, job_id=str(claim.id), reason=str(error))
            return RETURNED
        policy = self._runtime.policy(claim)
        outcome = of_exception(error, policy, retries=claim.retries)
        if isinstance(error, ClaimLost):
            # If the job was cancelled, the database records that. If another process has it, this outcome is refused.
            self._log.warning("claim lost", task=claim.task, job_id=str(claim.id), reason=str(error))
        else:
            has_traceback = not (is_told or isinstance(error, _DECISIONS))
            self._log_end(claim, outcome, limit_of(error, policy), has_traceback=has_traceback)
        return outcome

    def _call(
        self, payloads: Mapping[JobMessage, Any], runnable: RunnableTask, views: list[Any]
    ) -> Generator[Call, Any, Any]:
        """Append the handler's context to ``views``. Then call the handler, and return its result."""
        claims, is_chunk, pid = [one.claim for one in payloads], runnable.handler.takes_chunk, os.getpid()
        lead, usual = claims[0], runnable.task.timeout.total_seconds()
        kind = LoopContext if lead.is_async else JobContext
        with Running(max(claim.timeout or usual for claim in claims), is_async=lead.is_async) as running:
            contexts = [kind(claim, self._shared, running, runnable.settings) for claim in claims]
            for claim, one in zip(claims, contexts, strict=True):
                claim.running = running
                one.mates = contexts if len(contexts) > 1 and not lead.is_async else ()
            context: Any = ChunkContext(contexts, lambda i: claims[i].cancelled) if is_chunk else contexts[0]
            views.append(context)
            given = [*payloads.values()] if is_chunk else next(iter(payloads.values()))
            call, result = partial(runnable.handler.function, given, context), None
            try:
                result = (yield lead, call) if lead.is_async else call()
            except (Exception, Interrupt, CancelledError) as error:
                if not all(one.completed for one in contexts):
                    if isinstance(error, Throttled):
                        try:
                            contexts[0].throttled(error.limit, error.retry_after, error.reason)
                        except ValueError as unknown:  # jobs.yaml has no limit of this name, so only this job waits
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
        if is_chunk and result is not None and not (isinstance(result, list) and len(result) == len(claims)):
            got = f"a list of {len(result)}" if isinstance(result, list) else type(result).__name__
            # Do not retry the job: another run would repeat the handler's effects and return the same value.
            raise Reject(f"expected a list of {len(claims)} outputs, or None, got {got}")
        return result

    def _log_end(self, claim: Claim, outcome: Outcome, limit: int, *, has_traceback: bool) -> None:
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


def _end_of(view: Any, place: int, result: Any, error: BaseException | None) -> Outcome | BaseException:
    """Return a job's outcome, or the exception that ``_ended`` turns into it. ``place`` is the index in a chunk."""
    chunk = view if isinstance(view, ChunkContext) else None
    job: Any = chunk.jobs[place] if chunk else view
    if job is not None and job.completed:
        return SETTLED
    if chunk is not None and place in chunk.settled:
        return chunk.settled[place]
    if error is not None:  # if one job of a chunk is lost, this process still holds the other jobs
        return RETURNED if chunk and isinstance(error, ClaimLost) else error
    try:
        return Outcome("completed", json_text.encode(result[place] if chunk and result is not None else result))
    except json_text.UnfitForJson as unfit:  # no retry: another run would return the same value
        return Reject(f"the output cannot be stored: {unfit}")


def _is_wanted(record: logging.LogRecord) -> bool:
    """Return whether to log a line. Dramatiq's lines about jobs are dropped, because they have payloads."""
    args = record.args
    return not (isinstance(args, tuple) and args and isinstance(args[0], JobMessage) and record.levelno > logging.DEBUG)
