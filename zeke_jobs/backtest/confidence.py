"""How far a backtest can be trusted, and why: oddities of the recording are reported, never hidden."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Literal

from zeke_jobs.backtest.figures import Figures
from zeke_jobs.backtest.history import Recording
from zeke_jobs.backtest.workload import Workload

Level = Literal["high", "fair", "low"]

#: Fewer jobs than this say little about a 99th percentile.
ENOUGH_JOBS = 200
#: Fewer jobs than this prove nothing.
LEAST_JOBS = 20
_SHARE_TOLD, _SHARE_LOW = 0.001, 0.05
_MISFIT, _MISFIT_LOW = 0.15, 0.5
#: A thread is free a moment before its job's end is written, and jobs of milliseconds are claimed ahead.
_MORE_AT_ONCE = 1.5
_UNNOTICED = 0.05  # seconds; a difference in wait below this is not noticed


@dataclass(frozen=True)
class Finding:
    """Something that makes a backtest less certain. ``lowers`` is the best level that it leaves."""

    lowers: Level
    text: str


@dataclass(frozen=True)
class Confidence:
    """The level, and the findings that lowered it."""

    level: Level
    findings: tuple[Finding, ...]


def judge(recording: Recording, today: Figures, *, slots: int, at_once: int) -> Confidence:
    """How far a backtest can be trusted, by its first run on ``slots`` threads; ``at_once`` jobs ran at once in the recording."""
    findings = [*_of_recording(recording), *misfits(recording.workload, today)]
    if at_once > _MORE_AT_ONCE * slots:
        findings.append(
            Finding(
                "low",
                f"{at_once} jobs ran at once, more than the {slots} threads of the simulation: other workers ran then",
            )
        )
    findings.sort(key=lambda one: ("low", "fair", "high").index(one.lowers))
    return Confidence(findings[0].lowers if findings else "high", tuple(findings))


def _of_recording(recording: Recording) -> Iterator[Finding]:
    facts = recording.facts
    jobs = sum(1 for _ in recording.workload.counted())
    if jobs < ENOUGH_JOBS:
        yield Finding("low" if jobs < LEAST_JOBS else "fair", f"only {jobs} jobs were recorded; their tails are chance")
    if facts.first_job is not None and facts.first_job > recording.begin + timedelta(minutes=15):
        yield Finding(
            "fair", f"nothing is known of the time before {facts.first_job.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        )
    for text, count in recording.oddities.items():
        if count:
            share = count / max(jobs, 1)
            lowers: Level = "low" if share > _SHARE_LOW else "fair" if share > _SHARE_TOLD else "high"
            yield Finding(lowers, f"{count} {text}")
    if facts.revisions:
        listed = ", ".join(map(str, facts.revisions))
        yield Finding(
            "fair", f"other configurations were in force for a part of the time (revisions put in force: {listed})"
        )
    for target in facts.pauses:
        yield Finding("fair", f"{target} is paused by hand now; the simulation does not pause it")


def misfits(workload: Workload, today: Figures) -> Iterator[Finding]:
    """Tasks whose simulated waits differ from the recorded ones."""
    recorded: dict[str, list[float]] = {}
    for job in workload.counted():
        if job.waited is not None:
            recorded.setdefault(job.task, []).append(job.waited)
    for name, waits in sorted(recorded.items()):
        figures = today.tasks.get(name)
        if figures is None or figures.wait_mean is None or len(waits) < LEAST_JOBS:
            continue
        was = sum(waits) / len(waits)
        off = abs(figures.wait_mean - was)
        if off > _UNNOTICED and off > _MISFIT * was:
            yield Finding(
                "low" if off > _MISFIT_LOW * max(was, _UNNOTICED) else "fair",
                f"{name} waited {was:.2f} s on average, and {figures.wait_mean:.2f} s in the simulation of its own recording",
            )
