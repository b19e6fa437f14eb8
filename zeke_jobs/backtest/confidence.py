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
    return _level(findings)


def _level(findings: list[Finding]) -> Confidence:
    levels = {finding.lowers for finding in findings}
    level: Level = "low" if "low" in levels else "fair" if "fair" in levels else "high"
    return Confidence(level, tuple(sorted(findings, key=lambda one: ("low", "fair", "high").index(one.lowers))))


def _of_recording(recording: Recording) -> Iterator[Finding]:
    workload, odd, facts = recording.workload, recording.oddities, recording.facts
    jobs = sum(1 for _ in workload.counted())
    if jobs < ENOUGH_JOBS:
        yield Finding("low" if jobs < LEAST_JOBS else "fair", f"only {jobs} jobs were recorded; their tails are chance")
    if facts.first_job is not None and facts.first_job > recording.begin + timedelta(minutes=15):
        yield Finding(
            "fair", f"nothing is known of the time before {facts.first_job.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        )
    counts = {
        "jobs name a sender that is gone; they count as sent from outside": odd.orphans,
        "ticks of schedules have no job any more: jobs were deleted": facts.ticks_without_job,
        "jobs have times that run backwards; their durations are not used": odd.backwards,
        "jobs say they were sent before older ones: the clock was put back": facts.sent_back,
        "jobs have not ended; their durations are drawn from other jobs of their task": odd.unfinished,
        f"jobs have costs in another currency than {workload.currency}; these are left out": odd.other_currency,
    }
    for text, count in counts.items():
        if count:
            share = count / max(jobs, 1)
            lowers: Level = "low" if share > _SHARE_LOW else "fair" if share > _SHARE_TOLD else "high"
            yield Finding(lowers, f"{count} {text}")
    for name, count in sorted(odd.unknown.items()):
        yield Finding("fair", f"{count} jobs of {name}, which is not in force, are left out")
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
