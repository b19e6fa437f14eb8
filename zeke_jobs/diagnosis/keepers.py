"""Processes that claim nothing else because of one job that must run alone: they run it, or first finish their other jobs.

A keeper is a row of ``doctor/keepers``: the process, and the job that keeps it; ``runs``: whether that job has begun.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from zeke_jobs.core.wording import place, since

_NAMED = 5  # processes to name; a large fleet may have more


def named(keepers: Sequence[dict[str, Any]], now: datetime) -> str:
    """A text that names each process and its job, with the reason why no other job runs there."""
    more = [f"{len(keepers) - _NAMED} more"] if len(keepers) > _NAMED else []
    return "; ".join([*(_one(keeper, now) for keeper in keepers[:_NAMED]), *more])


def advice(keepers: Sequence[dict[str, Any]]) -> str:
    """The remedies."""
    jobs = list(dict.fromkeys(str(keeper["job"]) for keeper in keepers))
    ended = "it has ended" if len(jobs) == 1 else "one of them has ended"
    return (
        f"wait until {ended}, or: zeke-jobs cancel {' '.join(jobs[:_NAMED])}; "
        "with more processes, one at least goes on with the rest: dramatiq zeke_jobs.actors --processes N"
    )


def _one(keeper: dict[str, Any], now: datetime) -> str:
    where, job = place(keeper["host"], keeper["pid"]), f"{keeper['task']} {keeper['job']}"
    began, died = since(keeper["since"], now), f"because {keeper['deaths']} workers died while running it"
    if keeper["runs"]:
        return f"{where} runs {job} alone {began}, {died}"
    return f"{where} finishes its other jobs to run {job} alone, which has been ready {began}, {died}"
