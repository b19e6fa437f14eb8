"""Every run of the validation has the same load under different configurations; jobs sleep, fail once, or send others."""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from pydantic import Field

from zeke_jobs import Context, Payload

PROCESSES, THREADS = 2, 4
#: Jobs of WITH_BUDGET wait until the next day once the budget is used up, so only their starts are predicted.
WITH_BUDGET = "costly"
_H = "handler: tests.lab.validate.scenario:sleep"

#: The budget's time zone has noon at the start, so that no day ends during a run.
_NOON_IN = f"Etc/GMT{time.gmtime().tm_hour - 12:+d}"

TODAY = f"""version: 1
timezone: {_NOON_IN}
limits:
  pool: {{concurrency: 3}}
  ai: {{tokens: {{rate: 600/s}}}}
tasks:
  front: {{{_H}, concurrency: 2, priority: 10}}
  pooled-a: {{{_H}, uses: [pool]}}
  pooled-b: {{{_H}, uses: [pool], priority: 1}}
  keyed: {{{_H}, concurrency: {{limit: 4, per_key: 1}}}}
  rated: {{{_H}, rate: 3/s}}
  weighted: {{{_H}, uses: [ai], units: {{tokens: 200}}}}
  polite: {{{_H}, rate: {{per_key: 1/s}}}}
  costly: {{{_H}, budget: 1.00 USD/d, units: {{USD: 0.05}}}}
  single: {{{_H}, concurrency: 1}}
  parent: {{{_H}}}
  child: {{{_H}, concurrency: 2}}
  flaky: {{{_H}, concurrency: 2, retry: {{limit: 3, delay: 1s}}}}
"""
CHANGES = {
    "limits.pool.concurrency": "2",
    "keyed.concurrency.per_key": "2",
    "rated.rate": "4/s",
    "limits.ai.tokens.rate": "800/s",
    "polite.rate.per_key": "2/s",
    "costly.budget": "1.50 USD/d",
    "single.priority": "5",
    "child.concurrency": "1",
    "front.concurrency": "1",
}
#: The load is in jobs a second in quiet times, with the least and the greatest seconds of a job.
_LOAD = {
    "front": (1.6, 0.1, 0.5),
    "pooled-a": (1.5, 0.2, 0.9),
    "pooled-b": (1.2, 0.2, 0.9),
    "keyed": (2.5, 0.1, 0.6),
    "rated": (2.2, 0.05, 0.15),
    "weighted": (1.8, 0.05, 0.15),
    "polite": (0.9, 0.05, 0.15),
    "costly": (1.5, 0.05, 0.15),
    "single": (1.8, 0.1, 0.5),
    "parent": (0.5, 0.1, 0.3),
    "flaky": (0.5, 0.2, 0.6),
}
#: Each entry has a share of the time until which the load is a multiple of the quiet load.
_VARIES = ((0.25, 1.0), (0.45, 2.2), (0.7, 0.6), (0.8, 2.8), (1.0, 0.5))


@dataclass(frozen=True, order=True)
class Send:
    """A job is sent ``at`` seconds after the begin of the run."""

    at: float
    task: str
    payload: dict[str, Any] = field(compare=False)
    key: str | None = field(default=None, compare=False)


def sends(seconds: float, seed: int = 7) -> list[Send]:
    chance = Random(seed)
    found = []
    for task, (rate, least, most) in _LOAD.items():
        at = 0.0
        while at < seconds:
            times = next(times for until, times in _VARIES if at / seconds <= until)
            at += chance.expovariate(rate * times)
            payload: dict[str, Any] = {"seconds": round(chance.uniform(least, most), 3)}
            if task == "costly":
                payload["cost"] = round(chance.uniform(0.01, 0.05), 3)
            if task == "flaky":
                payload["fails_first"] = chance.random() < 0.3
            if task == "parent":
                payload["sends"] = [round(chance.uniform(0.3, 1.2), 3) for _ in range(2)]
            # One key is as busy as all other keys together.
            key = chance.choice(["busy", "busy", "busy", "x", "y", "z"]) if task in ("keyed", "polite") else None
            found.append(Send(at, task, payload, key))
    return sorted(send for send in found if send.at < seconds)


class Sleep(Payload):
    seconds: float = 0.0
    fails_first: bool = False
    cost: float = 0.0
    sends: list[float] = Field(default_factory=list)


def sleep(payload: Sleep, ctx: Context) -> None:
    """Sleep, and add a cost; then fail, or send a job for each length in ``sends``."""
    time.sleep(payload.seconds)
    if payload.cost:
        ctx.add_cost(Decimal(str(payload.cost)))
    if payload.fails_first and ctx.attempt == 1:
        raise RuntimeError("as it was told")
    for seconds in payload.sends:
        ctx.send("child", {"seconds": seconds})
