"""Sending: one by one, by several threads, and many at once, without workers."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING, Any

from tests.lab.bench import ours, threads
from tests.lab.bench.bench import Bench, ratio
from tests.lab.bench.measures import unlimited
from tests.lab.bench.result import Row
from zeke_jobs import client

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = "send"
AT_ONCE = "send-threads"
MANY = "send-many"
_BATCH = 1000
_THREADS = 8
_WITH_THREADS = ("dramatiq_pg", "pgqueuer")


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

    def send_rate_at_once(self, seconds: float, at_once: int) -> float:
        os.environ["DATABASE_URL"] = self.url
        return threads.rate(lambda n: client.send(ours.FREE, {"n": n}), at_once, seconds)

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


def at_once(bench: Bench) -> list[Row]:
    """A program with eight threads, and with one, beside those peers that people come from: each send durable before the thread's next."""
    systems = [_Ours(bench.installation("sends", ours.jobs_yaml({ours.FREE: {}})))]
    found = unlimited.peers(bench)
    systems += [found[name].System(bench.database(f"{name}_sends")) for name in _WITH_THREADS if name in found]
    kinds = {"1 thread": 1, f"{_THREADS} threads": _THREADS}
    figures: dict[tuple[str, str], list[float]] = {}
    for _ in range(bench.rounds * 4):
        for kind, count in kinds.items():
            for system in systems:
                key = (kind, system.name.split(",")[0])
                figures.setdefault(key, []).append(system.send_rate_at_once(bench.seconds / 5, count))
    for system in systems:
        bench.server.drop(system.url)
    rows = []
    for kind, count in kinds.items():
        goals = {"dramatiq-pg": 1.2 if count > 1 else 1.4, "pgqueuer": 0.8}
        mine = {name: all_ for (its, name), all_ in figures.items() if its == kind}
        rows += _compared(bench, AT_ONCE, mine, goals, f", {kind}")
    return rows


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
    fastest = max((n for n in figures if n != ours.NAME), key=lambda n: statistics.median(figures[n]), default="")
    return _compared(bench, measure, figures, {fastest: 1.0, **goals})


def _compared(
    bench: Bench, measure: str, figures: dict[str, list[float]], goals: dict[str, float], kind: str = ""
) -> list[Row]:
    rows = []
    for name, all_ in figures.items():
        times = None if name == ours.NAME else ratio(figures[ours.NAME], all_)
        goal = goals.get(name)
        rows.append(
            Row(
                measure,
                name + kind,
                statistics.median(all_),
                rounds=tuple(all_),
                ratio=times,
                against="" if times is None else "ours / this",
                target=f"≥ {goal:g}" if goal else "",
                reached=None if goal is None or times is None else times >= goal,
            )
        )
        bench.say(f"{measure} {rows[-1].what}: {rows[-1].value:,.0f}/s")
    return rows
