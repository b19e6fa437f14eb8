"""Checks the promises of every scenario, and its own messages."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from tests.lab.chaos import proof
from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.traffic import LIMITS, SHARED
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from tests.lab.chaos.world import World


def judge(
    here: World, broke: str, *, recovers_in: float | None = None, after_share: float | None = 0.9, note: str = ""
) -> Outcome:
    """Prove the promises of every scenario, and its own.

    Args:
        broke: In words.
        recovers_in: Seconds that the recovery may take, from the end of the fault.
        after_share: Share of the earlier rate that must be reached afterwards; None for no promise.
        note: For the reader.
    """
    with closing(connect(here.url)) as conn:
        found = proof.account(conn, here.traffic.ledger)
        moments = proof.completions(conn)
    ran = proof.runs(here.trace)
    peaks = proof.peaks(ran, here.gone, SHARED)
    rates = {name: proof.rate(moments, phase) for name, phase in here.phases.items()}
    recovery = None
    if recovers_in is not None:
        recovery = proof.recovery(moments, here.over, rates["before"], here.phases["after"][1])
    here.promise("nothing lost", found.lost == 0 and here.drained)
    here.promise("no effect twice", found.duplicated == 0)
    if found.faults:
        here.promise(f"nothing odd in the table: {', '.join(found.faults)}", held=False)
    over = {name: peaks.get(name, 0) for name, most in LIMITS.items() if peaks.get(name, 0) > most}
    here.promise("limits exact" if not over else f"limits exact, got {over}", not over)
    if recovers_in is not None:
        here.promise(f"recovery ≤ {recovers_in:g} s", recovery is not None and recovery <= recovers_in)
    if after_share is not None and {"before", "after"} <= rates.keys():
        here.promise(
            f"throughput after ≥ {after_share * 100:.0f} %", rates["after"] >= after_share * rates["before"] > 0
        )
    return Outcome(
        scenario=here.name,
        broke=broke,
        account=found,
        rates=rates,
        recovery=recovery,
        again=proof.repeats(ran),
        promises=tuple(here.promises),
        note=note,
        seconds=time.monotonic() - here.began,
        server=here.about,
        stuck=here.stuck,
    )
