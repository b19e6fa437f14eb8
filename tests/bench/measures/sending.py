"""Sending: one by one, and many at once, without workers."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING, Any

from tests.bench import ours
from tests.bench.bench import Bench, ratio
from tests.bench.measures import unlimited
from tests.bench.result import Row
from zeke_jobs import client

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = "send"
MANY = "send-many"
_BATCH = 1000


class _Ours:
    name = ours.NAME

    def __init__(self, installation: ours.Installation) -> None:
        self.url = installation.url

    def send_rate(self, seconds: float) -> float:
        os.environ["DATABASE_URL"] = self.url
        client.send(ours.FREE, {"n": 0})
        count, begin = 0, time.perf_counter()
        while time.perf_counter() < begin + seconds:
            client.send(ours.FREE, {"n": count})
            count += 1
        return count / (time.perf_counter() - begin)

    def send_many_rate(self, seconds: float, batch: int) -> float:
        os.environ["DATABASE_URL"] = self.url
        payloads = [{"n": n} for n in range(batch)]
        client.send_many(ours.FREE, payloads)
        count, begin = 0, time.perf_counter()
        while time.perf_counter() < begin + seconds:
            client.send_many(ours.FREE, payloads)
            count += batch
        return count / (time.perf_counter() - begin)


def one_by_one(bench: Bench) -> list[Row]:
    """One client, one connection, each send durable before the next."""
    goals = {"dramatiq-pg": 1.5}
    return _rows(bench, ONE, goals, lambda system, seconds: system.send_rate(seconds))


def many(bench: Bench) -> list[Row]:
    """A thousand jobs a call."""
    return _rows(bench, MANY, {}, lambda system, seconds: system.send_many_rate(seconds, _BATCH))


def _rows(bench: Bench, measure: str, goals: dict[str, float], rate: Callable[[Any, float], float | None]) -> list[Row]:
    systems: list[Any] = [_Ours(bench.installation("sends", ours.jobs_yaml({ours.FREE: {}})))]
    systems += [module.System(bench.database(f"{name}_sends")) for name, module in unlimited.peers(bench).items()]
    figures: dict[str, list[float]] = {}
    # Short slices in turns: how fast the disk flushes changes from second to second, and is all that counts here.
    for _ in range(bench.rounds * 4):
        for system in systems:
            if (figure := rate(system, bench.seconds / 5)) is not None:
                figures.setdefault(system.name.split(",")[0], []).append(figure)
    for system in systems:
        bench.server.drop(system.url)
    mine = figures[ours.NAME]
    fastest = max((n for n in figures if n != ours.NAME), key=lambda n: statistics.median(figures[n]), default="")
    goals = {fastest: 1.0, **goals}
    rows = []
    for name, all_ in figures.items():
        times = None if name == ours.NAME else ratio(mine, all_)
        goal = goals.get(name)
        rows.append(
            Row(
                measure,
                name,
                statistics.median(all_),
                rounds=tuple(all_),
                ratio=times,
                against="" if times is None else "ours / this",
                target=f"≥ {goal:g}" if goal else "",
                reached=None if goal is None or times is None else times >= goal,
            )
        )
        bench.say(f"{measure} {name}: {rows[-1].value:,.0f}/s")
    return rows
