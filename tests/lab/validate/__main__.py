"""``nox -s validate`` predicts the waits of a real run, runs it, and compares."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from statistics import fmean

import yaml
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import query, scalar
from tests.lab import server
from tests.lab.bench.bench import working
from tests.lab.bench.ours import Installation
from tests.lab.server import Server
from tests.lab.validate import scenario
from zeke_jobs import config
from zeke_jobs.backtest import history
from zeke_jobs.backtest.comparing import backtest
from zeke_jobs.backtest.figures import Figures, percentile
from zeke_jobs.backtest.workload import Workload
from zeke_jobs.config import edited
from zeke_jobs.revisions import overrides

_ALLOWED = 0.15
#: Tasks take turns at random, so several simulations are averaged.
_SEEDS = 10
_UNFINISHED = f"""
SELECT count(*) FROM zeke_jobs.queue WHERE state = 'consumed' OR state = 'queued' AND task <> '{scenario.WITH_BUDGET}'"""
#: The query returns the seconds from a job's first due time to its first start.
_WAITS = """
SELECT q.task, extract(epoch FROM coalesce((q.attempts #>> '{0,started_on}')::timestamptz, q.started_on) - q.created_on)::float
FROM zeke_jobs.queue AS q WHERE q.started_on IS NOT NULL"""


def _run(
    started: Server, name: str, text: str, load: Sequence[scenario.Send]
) -> tuple[dict[str, list[float]], Workload]:
    """Send the load to fresh workers with this jobs.yaml; return the waits of each task, and the recorded jobs."""
    server.announce(name)
    folder = started.files / name
    installation = Installation(started.create(name), folder, text)
    with working(installation, folder, processes=scenario.PROCESSES, threads=scenario.THREADS) as (workers, conn):
        begin = scalar(conn, "SELECT zeke_jobs.now()")
        _send(conn, load)
        end = scalar(conn, "SELECT zeke_jobs.now()")
        workers.until(lambda: scalar(conn, _UNFINISHED) == 0)
        in_force = config.load_text(text, "jobs.yaml", handlers=False)
        recording = history.read(conn, in_force, begin, end + timedelta(milliseconds=1))
        waits: dict[str, list[float]] = {}
        for task, wait in query(conn, _WAITS):
            waits.setdefault(task, []).append(wait)
    started.drop(installation.url)
    return dict(sorted(waits.items())), recording


#: Each figure of a task is computed from the waits of its started jobs.
FIGURES: dict[str, Callable[[Sequence[float]], float]] = {
    "started": len,
    "mean": fmean,
    "p95": lambda waits: percentile(sorted(waits), 0.95) or 0.0,
}


def _send(conn: Connection, load: Sequence[scenario.Send]) -> None:
    begin = time.monotonic()
    for send in load:
        time.sleep(max(0.0, begin + send.at - time.monotonic()))
        zeke_jobs.send(send.task, send.payload, connection=conn, key=send.key)


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if every prediction holds, else 1."""
    chosen = server.command("validate", __doc__, arguments, seconds=45.0, runs=5)
    load = scenario.sends(chosen.seconds)
    today = config.load_text(scenario.TODAY, "jobs.yaml", handlers=False)
    edits = [(overrides.read_path(key, today), overrides.read_value(value)) for key, value in scenario.CHANGES.items()]
    changed = config.load_text(scenario.TODAY, "jobs.yaml", handlers=False, edits=edits)
    before = os.getloadavg()[0]
    with server.start(chosen.server) as started:
        ran = [_run(started, f"today_{n}", scenario.TODAY, load) for n in range(chosen.runs)]
        # The prediction uses the first run only, before the change is tried.
        answers = [backtest(ran[0][1], today, changed, seed=seed) for seed in range(_SEEDS)]
        text = yaml.safe_dump(edited(yaml.safe_load(scenario.TODAY), edits), sort_keys=False)
        tried = [_run(started, f"changed_{n}", text, load) for n in range(chosen.runs)]
    own, own_held = _compare([answer.today for answer in answers], [waits for waits, _ in ran])
    proposed = [answer.proposed for answer in answers if answer.proposed]
    other, other_held = _compare(proposed, [waits for waits, _ in tried])
    about = (
        f"{len(load)} jobs, and the jobs that they sent, over {chosen.seconds:.0f} s, on {scenario.PROCESSES} processes of"
        f" {scenario.THREADS} threads; load of the machine before {before:.1f}; {server.machine()}."
    )
    changes = ", ".join(f"`{key}={value}`" for key, value in scenario.CHANGES.items())
    titles = ("Under its own configuration:", f"Under the change: {changes}:")
    print("\n".join([about, "", "", titles[0], "", *own, "", titles[1], "", *other]))
    held = own_held + other_held
    print(f"{sum(held)} of {len(held)} predictions hold", file=sys.stderr)
    return 0 if all(held) else 1


def _compare(predicted: Sequence[Figures], runs: Sequence[dict[str, list[float]]]) -> tuple[list[str], list[bool]]:
    """Return a table of the predicted and the real figures, and whether each prediction holds.

    A prediction holds if its error is within 15 % of the mean of the real runs, or within the spread of the real runs.
    """
    rows, held = (
        ["| task | figure | predicted | real runs | error | spread | holds |", "|---|---|---|---|---|---|---|"],
        [],
    )
    for task in runs[0]:
        told = [one.tasks[task].waits[: len(one.tasks[task].waits) - one.tasks[task].unstarted] for one in predicted]
        for name in ("started",) if task == scenario.WITH_BUDGET else ("mean", "p95"):
            figure, shown = FIGURES[name], "{:.0f}".format if name == "started" else _s
            expected, real = fmean(map(figure, told)), [figure(waits[task]) for waits in runs]
            error, spread = expected / fmean(real) - 1, (max(real) - min(real)) / fmean(real)
            held.append(abs(error) <= max(_ALLOWED, spread))
            cells = (task, name, shown(expected), ", ".join(map(shown, real)), f"{error:+.0%}", f"{spread:.0%}")
            rows.append(f"| {' | '.join(cells)} | {'yes' if held[-1] else 'no'} |")
    return rows, held


def _s(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


if __name__ == "__main__":
    sys.exit(main())
