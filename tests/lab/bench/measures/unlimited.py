"""Draining a task without a limit, beside the peers."""

import importlib
from typing import Any

from tests.lab.bench import drain, ours
from tests.lab.bench.bench import Bench
from tests.lab.bench.drain import Drain
from tests.lab.bench.result import Row

PEERS = ("dramatiq_pg", "pgqueuer")


def peers(bench: Bench) -> dict[str, Any]:
    """The modules of the peers that are installed, by name."""
    found = {}
    for name in PEERS:
        try:
            found[name] = importlib.import_module(f"tests.lab.bench.peers.{name}")
        except ModuleNotFoundError as error:
            bench.say(f"{name}: not installed ({error.name})")
    return found


def measure(bench: Bench) -> list[Row]:
    """Ours first and last, so that a machine whose load changes shows it."""
    mine = _ours(bench)
    others = {name: _drains(bench, module.System(bench.database(name))) for name, module in peers(bench).items()}
    mine += _ours(bench)
    rows = [drain.row(ours.NAME, mine)]
    for name, drains in others.items():
        rows += [drain.row(name, drains), drain.row(f"{ours.NAME} / {name}", mine, drains, name)]
    return rows


def _ours(bench: Bench) -> list[Drain]:
    return _drains(bench, bench.installation("ours", ours.jobs_yaml({ours.FREE: {}})))


def _drains(bench: Bench, system: Any) -> list[Drain]:
    with bench.running(system) as up:
        count = up.sized(bench.seconds)
        return [up.drain(count) for _ in range(bench.rounds)]
