"""Draining a task without a limit, beside all peers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tests.lab.bench import drain, ours
from tests.lab.bench.bench import Bench, ratio
from tests.lab.bench.result import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.bench.drain import Drain

MEASURE = "drain-unlimited"
PEERS = ("dramatiq_pg", "procrastinate", "pgqueuer", "oban", "awa_pg")
BATCHES = (10, 100, 500)  # jobs that pgqueuer takes at once


def peers(bench: Bench) -> dict[str, Any]:
    """The modules of the peers that are installed, by name."""
    found = {}
    for name in () if bench.alone else PEERS:
        try:
            found[name] = importlib.import_module(f"tests.lab.bench.peers.{name}")
        except ModuleNotFoundError as error:
            bench.say(f"{name}: not installed ({error.name})")
    return found


def measure(bench: Bench) -> list[Row]:
    """Ours first and last, so that a machine whose load changes shows it."""
    drains = {ours.NAME: _ours(bench)}
    found = peers(bench)
    for name, module in found.items():
        if name == "pgqueuer":
            drains |= _best_batch(bench, module)
        else:
            system = module.System(bench.database(name))
            drains[system.name] = _drains(bench, system)
    if not bench.alone:
        drains[ours.NAME] += _ours(bench)
    rates = {name: [d.rate for d in all_] for name, all_ in drains.items()}
    mine = rates[ours.NAME]
    fastest = max(
        (name for name in rates if name != ours.NAME), key=lambda n: drain.median(drains[n]).rate, default=None
    )
    rows = []
    for name, all_ in drains.items():
        middle = drain.median(all_)
        goals = {"dramatiq-pg": 10.0, fastest: 1.0}
        goal = goals.get(name)
        times = None if name == ours.NAME else ratio(mine, rates[name])
        rows.append(
            Row(
                MEASURE,
                name,
                middle.rate,
                rounds=tuple(rates[name]),
                ratio=times,
                against="" if times is None else "ours / this",
                target=f"≥ {goal:g}" if goal else "",
                reached=None if goal is None or times is None else times >= goal,
                note=f"CPU per job: workers {middle.client:.0f} µs, server {middle.server:.0f} µs",
            )
        )
    return rows


def _ours(bench: Bench) -> list[Drain]:
    return _drains(bench, bench.installation("ours", ours.jobs_yaml({ours.FREE: {}})))


def _drains(bench: Bench, system: Any, seconds: float | None = None, rounds: int | None = None) -> list[Drain]:
    with bench.running(system) as up:
        count = up.sized(seconds or bench.seconds)
        drains = [up.drain(count) for _ in range(rounds or bench.rounds)]
    bench.say(f"{system.name}: {count:,} jobs, {drain.median(drains).rate:,.0f}/s")
    return drains


def _best_batch(bench: Bench, module: Any) -> dict[str, list[Drain]]:
    make: Callable[[int], Any] = lambda batch: module.System(bench.database("pgqueuer"), batch)  # noqa: E731
    trials = {
        batch: drain.median(_drains(bench, make(batch), bench.seconds / 2, 1 if bench.quick else 3)).rate
        for batch in BATCHES[bench.quick :]
    }
    best = make(max(trials, key=lambda batch: trials[batch]))
    return {best.name: _drains(bench, best)}
