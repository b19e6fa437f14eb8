"""The context of a chunk in a worker, and how each of its jobs ends."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from zeke_jobs.core.chunk import ChunkContext
from zeke_jobs.errors import ClaimLost, Reject
from zeke_jobs.payload import json_text
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Outcome, Settled
from zeke_jobs.worker.run.reports import add_costs


class JobChunk(ChunkContext[Any]):
    """See ``ChunkContext``."""

    def add_costs(self, amounts: Mapping[int, Decimal | int], currency: str = "USD") -> None:
        """See ``ChunkContext``."""
        if amounts:
            job: Any = self._job
            add_costs({job(i): amount for i, amount in amounts.items()}, currency)


def end_of(
    chunk: ChunkContext[Any], place: int, result: list[Any] | None, error: BaseException | None
) -> Outcome | BaseException:
    """How a job of a chunk ended: its outcome, or the exception that decides it. ``error``: what the handler raised."""
    job: Any = chunk.jobs[place]
    if job.completed:
        return Settled()
    if place in chunk.settled:
        return chunk.settled[place]
    if isinstance(error, ClaimLost):  # one job is lost, but the others are still ours
        return RETURNED
    try:
        return error or Completed(encoded(result and result[place]))
    except Reject as unfit:
        return unfit


def encoded(output: Any) -> str:
    """An output as JSON text.

    Raises:
        Reject: it is no JSON value. Another run would repeat its effects and return the same.
    """
    try:
        return json_text.encode(output)
    except json_text.UnfitForJson as error:
        raise Reject(f"the output cannot be stored: {error}") from None
