"""One thread and eight threads send without workers, in zeke_jobs and in the systems that its users know."""

from typing import Any

from tests.lab.bench import ours, result
from tests.lab.bench.bench import Bench
from tests.lab.bench.measures.drains import peers
from tests.lab.bench.result import Row

_LEAST = {("dramatiq_pg", 1): 1.4, ("pgqueuer", 1): 1.0, ("dramatiq_pg", 8): 1.4, ("pgqueuer", 8): 1.2}


def measure(bench: Bench) -> list[Row]:
    """Measure sends, each of which is durable before the thread's next send.

    The systems run in short turns, because the disk's flush time matters much and changes from second to second.
    """
    installation = bench.installation("sends", {ours.FREE: {}})
    systems: dict[str, Any] = {ours.NAME: installation}
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
            rows.append(result.middle(what, mine, rates, against=name, least=_LEAST.get((name, count))))
    return rows
