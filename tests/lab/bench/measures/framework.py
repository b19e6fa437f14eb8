"""The speed of dramatiq itself with messages that cost nothing to fetch or finish: the upper limit of any broker."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import dramatiq
from dramatiq.brokers.stub import StubBroker

from tests.lab.bench.processes import ROOT
from tests.lab.bench.result import Row

if TYPE_CHECKING:
    from tests.lab.bench.bench import Bench

MEASURE = "framework"
_PROCESSES = 2


def measure(bench: Bench) -> list[Row]:
    """Two processes at once, eight threads each."""
    count = 20_000 if bench.quick else 100_000
    figures = [_both(count) for _ in range(bench.rounds)]
    rate = statistics.median(figures)
    bench.say(f"dramatiq alone: {rate:,.0f}/s")
    note = "dramatiq's Worker and threads over a queue in memory, without middleware, two processes together"
    return [Row(MEASURE, "dramatiq itself, no broker", rate, rounds=tuple(figures), note=note)]


def _both(count: int) -> float:
    command = [sys.executable, "-m", __name__, str(count)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
        for _ in range(_PROCESSES)
    ]
    return float(sum(json.loads(process.communicate()[0]) for process in running))


def _alone(count: int) -> float:
    broker = StubBroker(middleware=[])
    dramatiq.set_broker(broker)

    def no_op(n: int) -> None:
        pass

    actor = dramatiq.actor(no_op, broker=broker)
    for n in range(count):
        actor.send(n)
    worker = dramatiq.Worker(broker, worker_threads=8, worker_timeout=100)
    begin = time.perf_counter()
    worker.start()
    broker.join("default", timeout=600_000)
    took = time.perf_counter() - begin
    worker.stop()
    return count / took


if __name__ == "__main__":
    print(json.dumps(_alone(int(sys.argv[1]))))
