"""Sending from one thread and from eight, without workers, beside the systems that people come from."""

import os
from typing import Any

import zeke_jobs
from tests.lab.bench import ours, result, threads
from tests.lab.bench.bench import Bench
from tests.lab.bench.measures.unlimited import peers
from tests.lab.bench.result import Row

_LEAST = {("dramatiq_pg", 1): 1.4, ("pgqueuer", 1): 1.0, ("dramatiq_pg", 8): 1.4, ("pgqueuer", 8): 1.2}


class _Ours:
    def __init__(self, installation: ours.Installation) -> None:
        self.url = installation.url

    def send_rate(self, seconds: float, at_once: int) -> float:
        os.environ["DATABASE_URL"] = self.url
        return threads.rate(lambda n: zeke_jobs.send(ours.FREE, {"n": n}), at_once, seconds)


def measure(bench: Bench) -> list[Row]:
    """Each send is durable before the thread's next.

    Short slices in turns: how fast the disk flushes changes from second to second, and decides much here.
    """
    systems: dict[str, Any] = {ours.NAME: _Ours(bench.installation("sends", ours.jobs_yaml({ours.FREE: {}})))}
    systems |= {name: module.System(bench.database(f"{name}_sends")) for name, module in peers(bench).items()}
    figures: dict[tuple[str, int], list[float]] = {}
    for _ in range(bench.rounds * 4):
        for count in (1, 8):
            for name, system in systems.items():
                figures.setdefault((name, count), []).append(system.send_rate(bench.seconds / 5, count))
    for system in systems.values():
        bench.server.drop(system.url)
    rows = []
    for (name, count), rates in figures.items():
        rows.append(result.middle(f"{name}, {count} thread{'s' * (count > 1)}", rates))
        if name != ours.NAME:
            mine, what = figures[ours.NAME, count], f"{ours.NAME} / {name}, {count} thread{'s' * (count > 1)}"
            rows.append(result.middle(what, mine, rates, against=name, least=_LEAST[name, count]))
    return rows
