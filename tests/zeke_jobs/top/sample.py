"""A board that shows everything once, for tests and for the pictures in the docs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from zeke_jobs.top.board import (
    Board,
    FailedLine,
    LimitLine,
    RunningLine,
    ScheduleLine,
    TaskLine,
    WaitingLine,
    WorkerLine,
)

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def job(number: int) -> UUID:
    return UUID(f"019d0000-0000-7000-8000-{number:012x}")


def task(name: str, queued: int = 0, active: int = 0, limit: int | None = None, *, done: float = 0, failed: float = 0,
         p50: float | None = None, p95: float | None = None, waits: float | None = None, max_wait: float | None = None,
         paused: str | None = None, queue: str = "ingest") -> TaskLine:  # fmt: skip
    wait = None if waits is None else timedelta(seconds=waits)
    longest = None if max_wait is None else timedelta(seconds=max_wait)
    late = wait is not None and longest is not None and wait > longest and paused is None
    return TaskLine(
        name, queue, queued, active, limit, done, failed, p50, p95, wait, longest, late, paused,
        is_counted=queued != 1001,
    )  # fmt: skip


def active(number: int, name: str, seconds: float, done: int, total: int, note: str, pid: int = 4711) -> RunningLine:
    return RunningLine(
        job(number), name, ago(seconds), 1, {"done": done, "total": total, "note": note}, False, "worker-1", pid
    )


TASKS = (
    task("ingest-pull", 0, 0, 1, done=0.2, p50=0.4, p95=0.9),
    task("ingest-source", 12, 5, 5, done=184, failed=2, p50=0.31, p95=1.7, waits=2),
    task("ingest-oneoff", done=3, p50=0.8, p95=2.1),
    task("ingest-from-upload", 0, 1, 2, done=1, p50=4.2, p95=9.6),
    task("fetch-content", 1001, 3, 3, done=96, failed=4, p50=1.2, p95=4.4, waits=312),
    task("analyze-story", 48, 5, 5, done=28, p50=9.8, p95=21, waits=75, max_wait=300, queue="ai"),
    task("extract-highlights", 231, 1, 1, done=6, p50=8.1, p95=16, waits=734, max_wait=120, queue="ai"),
    task("score-relevance", 56_730, 16, 20, done=9_640, p50=0.04, p95=0.08, waits=41),
    task("dedupe-insights", 0, 0, 1, done=0.5, p50=0.9, p95=1.4),
    task("cluster-stories", 4, 0, 1, waits=1260, max_wait=600, paused="task/cluster-stories by ann@desk", queue="ai"),
    task("story-summarize", 2, 4, 4, done=11, p50=6.3, p95=11, waits=4, queue="ai"),
    task("generate-brief", 0, 0, 10, queue="ai"),
    task("send-digest", p50=2.4, p95=2.4),
)
BOARD = Board(
    now=NOW,
    environment="production",
    revision=12,
    beat_on=ago(20),
    tasks=TASKS,
    running=(
        active(1, "analyze-story", 19, 36, 43, "paragraphs"),
        active(2, "extract-highlights", 14, 5, 11, "quotes"),
        active(3, "story-summarize", 6, 1, 4, "stories", pid=4712),
        RunningLine(job(4), "fetch-content", ago(3), 2, None, False, "worker-1", 4711),
        RunningLine(job(5), "ingest-from-upload", ago(2.2), 1, {"note": "page 3"}, False, "worker-2", 102),
        RunningLine(job(6), "score-relevance", ago(0.2), 1, None, True, "worker-2", 102),
    ),
    waiting_of="extract-highlights",
    waiting=(
        WaitingLine(job(20), 1, 1, 0, ago(734), None, None),
        WaitingLine(job(21), 0, 0, 5, ago(731), "example.org", None),
        WaitingLine(job(22), 2, 0, 0, ago(729), None, None),
        WaitingLine(job(23), 1, 0, 0, NOW + MINUTE, None, None),
        WaitingLine(job(24), 0, 0, 0, NOW + 5 * MINUTE, None, "the budget of today is spent"),
    ),
    failed=(
        FailedLine(job(40), "fetch-content", 4, ago(8), "OSError", "no route to host example.org"),
        FailedLine(job(41), "ingest-source", 1, ago(95), "Reject", "not a feed: line 1, column 7"),
    ),
    schedules=(
        ScheduleLine("ingest-pull", "*/5 * * * *", "UTC", ago(300), "completed", NOW + 5 * MINUTE, None),
        ScheduleLine("dedupe-insights", "*/15 * * * *", "UTC", ago(600), "failed", NOW + 15 * MINUTE, None),
        ScheduleLine("cluster-stories", "0 * * * *", "UTC", ago(3600), "skipped", NOW + 60 * MINUTE, None),
        ScheduleLine("generate-brief", "0 6 * * mon-fri", "Europe/Paris", ago(25_200), "completed", NOW + 17 * 60 * MINUTE, None),
        ScheduleLine("send-digest", "30 6 * * *", "UTC", ago(105_000), "completed", None, "ann@desk"),
    ),
    limits=(
        LimitLine("limit/ai", 8, 8, 60, MINUTE, None, None),
        LimitLine("limit/hosts", None, 9, 20, MINUTE, NOW + timedelta(seconds=3), None),
    ),
    workers=(
        WorkerLine(job(60), "worker", "worker-1", 4711, "0.1.0", 12, ["ai", "ingest"], 16, 16, False, ago(2), False),
        WorkerLine(job(61), "worker", "worker-1", 4712, "0.1.0", 12, ["ai", "ingest"], 16, 15, False, ago(3), False),
        WorkerLine(job(62), "worker", "worker-2", 102, "0.1.0", 11, ["ingest"], 8, 4, True, ago(1), False),
        WorkerLine(job(63), "worker", "worker-3", 77, "0.1.0", 12, ["ingest"], 8, 2, False, ago(24), True),
        WorkerLine(job(64), "scheduler", "worker-1", 4715, "0.1.0", 12, [], 0, 0, False, ago(20), False),
    ),
)  # fmt: skip
