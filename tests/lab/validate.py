"""``nox -s validate`` predicts the waits of a real run, makes the run, and compares both.

Every run has the same load, under one of two configurations. Jobs sleep, fail once, or send other jobs.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from statistics import fmean
from typing import Any

import yaml

import zeke_jobs
from tests.fleet import query, scalar
from tests.lab import server
from tests.lab.bench.bench import working
from tests.lab.bench.ours import Installation
from tests.lab.server import Server
from zeke_jobs import config
from zeke_jobs.backtest import history
from zeke_jobs.backtest.comparing import backtest
from zeke_jobs.backtest.figures import Figures, percentile
from zeke_jobs.backtest.workload import Workload
from zeke_jobs.config import edited
from zeke_jobs.revisions import overrides

_PROCESSES, _THREADS = 2, 4
_H = "handler: tests.lab.handlers:sleep"
_TODAY = f"""version: 1
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
  single: {{{_H}, concurrency: 1}}
  parent: {{{_H}}}
  child: {{{_H}, concurrency: 2}}
  flaky: {{{_H}, concurrency: 2, retry: {{limit: 3, delay: 1s}}}}
"""
_CHANGES = {
    "limits.pool.concurrency": "2",
    "keyed.concurrency.per_key": "2",
    "rated.rate": "4/s",
    "limits.ai.tokens.rate": "800/s",
    "polite.rate.per_key": "2/s",
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
    "single": (1.8, 0.1, 0.5),
    "parent": (0.5, 0.1, 0.3),
    "flaky": (0.5, 0.2, 0.6),
}
#: Each entry has a share of the time until which the load is a multiple of the quiet load.
_VARIES = ((0.25, 1.0), (0.45, 2.2), (0.7, 0.6), (0.8, 2.8), (1.0, 0.5))
_ALLOWED = 0.15
#: Tasks take turns at random, so several simulations are averaged.
_SEEDS = 10
_HEADS = ("task", "figure", "predicted", "real runs", "error", "spread", "holds")
#: Each figure of a task is computed from the waits of its started jobs; times are in milliseconds.
_FIGURES: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda waits: fmean(waits) * 1000,
    "p95": lambda waits: (percentile(sorted(waits), 0.95) or 0.0) * 1000,
}
_UNFINISHED = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
#: The query returns the seconds from a job's first due time to its first start.
_WAITS = """
SELECT q.task, extract(epoch FROM coalesce((q.attempts #>> '{0,started_on}')::timestamptz, q.started_on) - q.created_on)::float
FROM zeke_jobs.queue AS q WHERE q.started_on IS NOT NULL"""
#: A job is sent some seconds after the begin of the run, to a task, with a payload and perhaps a key.
Send = tuple[float, str, dict[str, Any], str | None]


def sends(seconds: float, seed: int = 7) -> list[Send]:
    chance = Random(seed)
    found: list[Send] = []
    for task, (rate, least, most) in _LOAD.items():
        at = 0.0
        while at < seconds:
            times = next(times for until, times in _VARIES if at / seconds <= until)
            at += chance.expovariate(rate * times)
            payload: dict[str, Any] = {"seconds": round(chance.uniform(least, most), 3)}
            if task == "flaky":
                payload["fails"] = int(chance.random() < 0.3)
            if task == "parent":
                payload["sends"] = [round(chance.uniform(0.3, 1.2), 3) for _ in range(2)]
            # The key busy gets as many jobs as all other keys together.
            key = chance.choice(["busy", "busy", "busy", "x", "y", "z"]) if task in ("keyed", "polite") else None
            found.append((at, task, payload, key))
    return sorted((send for send in found if send[0] < seconds), key=lambda send: send[:2])


def _run(started: Server, name: str, text: str, load: Sequence[Send]) -> tuple[dict[str, list[float]], Workload]:
    """Send the load to fresh workers with this jobs.yaml; return the waits of each task, and the recorded jobs."""
    server.say(f"{name} …")
    folder = started.files / name
    installation = Installation(started.create(name), folder, text)
    with working(installation, folder, processes=_PROCESSES, threads=_THREADS) as (workers, conn):
        begin = scalar(conn, "SELECT zeke_jobs.now()")
        began = time.monotonic()
        for at, task, payload, key in load:
            time.sleep(max(0.0, began + at - time.monotonic()))
            zeke_jobs.send(task, payload, connection=conn, key=key)
        end = scalar(conn, "SELECT zeke_jobs.now()")
        workers.until(lambda: scalar(conn, _UNFINISHED) == 0)
        in_force = config.load_text(text, "jobs.yaml", handlers=False)
        recording = history.read(conn, in_force, begin, end + timedelta(milliseconds=1))
        waits: dict[str, list[float]] = {}
        for task, wait in query(conn, _WAITS):
            waits.setdefault(task, []).append(wait)
    started.drop(installation.url)
    return dict(sorted(waits.items())), recording


def main(arguments: list[str] | None = None) -> int:
    chosen = server.command("validate", __doc__, arguments, seconds=45.0, runs=5)
    load = sends(chosen.seconds)
    today = config.load_text(_TODAY, "jobs.yaml", handlers=False)
    edits = [(overrides.read_path(key, today), overrides.read_value(value)) for key, value in _CHANGES.items()]
    changed = config.load_text(_TODAY, "jobs.yaml", handlers=False, edits=edits)
    before = os.getloadavg()[0]
    with server.start(chosen.server) as started:
        ran = [_run(started, f"today_{n}", _TODAY, load) for n in range(chosen.runs)]
        # The predictions use only the first run without the change.
        answers = [backtest(ran[0][1], today, changed, seed=seed) for seed in range(_SEEDS)]
        text = yaml.safe_dump(edited(yaml.safe_load(_TODAY), edits), sort_keys=False)
        tried = [_run(started, f"changed_{n}", text, load) for n in range(chosen.runs)]
    own = _compare([answer.today for answer in answers], [waits for waits, _ in ran])
    other = _compare([answer.proposed for answer in answers if answer.proposed], [waits for waits, _ in tried])
    about = (
        f"{len(load)} jobs, and the jobs that they sent, over {chosen.seconds:.0f} s, on {_PROCESSES} processes of"
        f" {_THREADS} threads; load of the machine before {before:.1f}; {server.machine()}."
    )
    changes = ", ".join(f"`{key}={value}`" for key, value in _CHANGES.items())
    for title, rows in (("Under its own configuration:", own), (f"Under the change: {changes}:", other)):
        about += f"\n\n{title}\n\n{server.table(_HEADS, rows)}"
    print(about)
    held = [row[-1] == "yes" for row in (*own, *other)]
    print(f"{sum(held)} of {len(held)} predictions hold", file=sys.stderr)
    return 0 if all(held) else 1


def _compare(predicted: Sequence[Figures], runs: Sequence[dict[str, list[float]]]) -> list[tuple[str, ...]]:
    """Compare the predicted and the real figures of each task.

    A prediction holds if its error is within 15 % of the mean of the real runs, or within the spread of the real runs.
    """
    rows: list[tuple[str, ...]] = []
    for task in runs[0]:
        told = [one.tasks[task].waits[: len(one.tasks[task].waits) - one.tasks[task].unstarted] for one in predicted]
        for name, figure in _FIGURES.items():
            expected, real = fmean(map(figure, told)), [figure(waits[task]) for waits in runs]
            error, spread = expected / fmean(real) - 1, (max(real) - min(real)) / fmean(real)
            cells = (task, name, f"{expected:,.0f} ms", ", ".join(f"{one:,.0f} ms" for one in real), f"{error:+.0%}")
            rows.append((*cells, f"{spread:.0%}", "yes" if abs(error) <= max(_ALLOWED, spread) else "no"))
    return rows


if __name__ == "__main__":
    sys.exit(main())
