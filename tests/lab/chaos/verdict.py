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
    from collections.abc import Mapping

    from tests.lab.chaos.world import World


def judge(
    here: World,
    broke: str,
    *,
    fault_over: float | None = None,
    recovers_in: float | None = None,
    after_share: float | None = 0.9,
    limits: Mapping[str, int] = LIMITS,
    note: str = "",
) -> Outcome:
    """Prove the promises of every scenario, and its own.

    Args:
        broke: In words.
        fault_over: When the fault ended (``time.time()``), to count the recovery from.
        recovers_in: Seconds that the recovery may take.
        after_share: Share of the earlier rate that must be reached afterwards; None for no promise.
        limits: Limits that must hold.
        note: For the reader.
    """
    with closing(connect(here.url)) as conn:
        found = proof.account(conn, here.traffic.ledger)
        moments = proof.completions(conn)
    ran = proof.runs(here.trace)
    peaks = proof.peaks(ran, here.gone, SHARED)
    rates = {name: proof.rate(moments, phase) for name, phase in here.phases.items()}
    recovery = None
    if fault_over is not None and "before" in rates:
        until = here.phases["after"][1] if "after" in here.phases else time.time()
        recovery = proof.recovery(moments, fault_over, rates["before"], until)
    here.promise("nothing lost", found.lost == 0 and here.drained)
    here.promise("no effect twice", found.duplicated == 0)
    if found.faults:
        here.promise(f"nothing odd in the table: {', '.join(found.faults)}", held=False)
    over = {name: peaks.get(name, 0) for name, most in limits.items() if peaks.get(name, 0) > most}
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
        before=rates.get("before"),
        during=rates.get("during"),
        after=rates.get("after"),
        recovery=recovery,
        sent=found.sent,
        finished=found.finished,
        stated=found.stated,
        lost=found.lost,
        duplicated=found.duplicated,
        again=proof.repeats(ran),
        promises=tuple(here.promises),
        note=note,
        seconds=time.monotonic() - here.began,
        details={
            "server": here.about,
            "peaks": {name: peaks.get(name, 0) for name in limits},
            "rates": rates,
            "faults": found.faults,
            "stuck": here.stuck,
        },
    )
