"""``nox -s validate``: predict the waits of a real run, run it, compare."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import yaml

from tests.lab import server
from tests.lab.validate import real, scenario
from tests.lab.validate.real import Waits, waits_of
from zeke_jobs import config
from zeke_jobs.backtest.comparing import backtest
from zeke_jobs.backtest.figures import Figures
from zeke_jobs.config.reading import edited
from zeke_jobs.revisions import overrides

_ALLOWED = 0.15
#: Chance decides which task's turn it is: one simulation of a few hundred jobs is as much of a draw as one real run.
_SEEDS = 10


@dataclass(frozen=True)
class Line:
    """One figure of one task: what was predicted, and what the real runs showed."""

    task: str
    figure: str
    predicted: float
    real: tuple[float, ...]

    @property
    def error(self) -> float:
        """Relative to the mean of the real runs."""
        return self.predicted / fmean(self.real) - 1

    @property
    def spread(self) -> float:
        """How far the real runs lie apart, relative to their mean."""
        return (max(self.real) - min(self.real)) / fmean(self.real)

    def told(self, value: float) -> str:
        """A wait in seconds, or a number of jobs."""
        return f"{value:.0f}" if self.figure == "started" else _s(value)

    @property
    def holds(self) -> bool:
        """Within 15 %, or within the spread of identical real runs."""
        return abs(self.error) <= max(_ALLOWED, self.spread)


def main(arguments: list[str] | None = None) -> int:
    """0 when every prediction holds, 1 when one does not."""
    chosen = server.command("validate", __doc__, arguments, seconds=45.0, runs=5)
    load = scenario.sends(chosen.seconds)
    today = config.load_text(scenario.TODAY, "jobs.yaml", handlers=False)
    edits = [(overrides.read_path(key, today), overrides.read_value(value)) for key, value in scenario.CHANGES.items()]
    changed = config.load_text(scenario.TODAY, "jobs.yaml", handlers=False, edits=edits)
    before = os.getloadavg()[0]
    with server.start(chosen.server) as started:
        ran = [_run(started, f"today_{n}", scenario.TODAY, load) for n in range(chosen.runs)]
        # Predicted from the first run alone, before the change is tried.
        answers = [backtest(ran[0].recording, today, changed, seed=seed) for seed in range(_SEEDS)]
        text = yaml.safe_dump(edited(yaml.safe_load(scenario.TODAY), edits), sort_keys=False)
        tried = [_run(started, f"changed_{n}", text, load) for n in range(chosen.runs)]
    changes = ", ".join(f"`{key}={value}`" for key, value in scenario.CHANGES.items())
    own = _lines([answer.today for answer in answers], ran)
    other = _lines([answer.proposed for answer in answers if answer.proposed], tried)
    table = [*_table("its own configuration", own), *_table(f"the change: {changes}", other)]
    about = (
        f"{len(load)} jobs, and the jobs that they sent, over {chosen.seconds:.0f} s, on {scenario.PROCESSES} processes of"
        f" {scenario.THREADS} threads; load of the machine before {before:.1f}; {server.machine()}."
    )
    print("\n".join([about, "", *table]))
    lines = [*own, *other]
    missed = [line for line in lines if not line.holds]
    print(f"{len(lines) - len(missed)} of {len(lines)} predictions hold", file=sys.stderr)
    return 1 if missed else 0


def _run(started: server.Server, name: str, text: str, load: Sequence[scenario.Send]) -> real.Run:
    server.announce(name)
    return real.run(started, name, text, load)


def _lines(predicted: Sequence[Figures], runs: Sequence[real.Run]) -> list[Line]:
    lines = []
    for task in runs[0].waits:
        figures = [one.tasks[task] for one in predicted]
        told: list[Waits] = [waits_of(one.waits[: len(one.waits) - one.unstarted]) for one in figures]
        for figure in ("started",) if task == scenario.WITH_BUDGET else ("mean", "p95"):
            shown = tuple(getattr(run.waits[task], figure) for run in runs)
            lines.append(Line(task, figure, fmean(getattr(one, figure) for one in told), shown))
    return lines


def _table(title: str, lines: Sequence[Line]) -> list[str]:
    names = "| task | figure | predicted | real runs | error | spread | holds |"
    return ["", f"Under {title}:", "", names, "|---|---|---|---|---|---|---|"] + [
        f"| {line.task} | {line.figure} | {line.told(line.predicted)} | {', '.join(map(line.told, line.real))} | {line.error:+.0%}"
        f" | {line.spread:.0%} | {'yes' if line.holds else 'no'} |"
        for line in lines
    ]


def _s(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


if __name__ == "__main__":
    sys.exit(main())
