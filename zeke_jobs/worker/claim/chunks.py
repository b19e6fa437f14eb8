"""Jobs that were claimed together for one call of their handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zeke_jobs.worker.claim.claims import JobMessage


def by_threads(messages: Iterable[JobMessage]) -> list[JobMessage]:
    """One message for each thread that the jobs take. The jobs of a chunk, which have the same time of claim, share one."""
    found: dict[object, JobMessage] = {}
    for one in messages:
        claim = one.claim
        first = found.setdefault((claim.task, claim.claimed_on) if one.in_chunk else claim.id, one)
        if first is not one:
            first.others.append(one)
            claim.on_time = None  # if a chunk starts late, its first job reports that to the rates
    return list(found.values())
