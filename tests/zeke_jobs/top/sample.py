"""A board that shows everything once, for tests and for the pictures in the docs."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from zeke_jobs.postgres.queries import Row
from zeke_jobs.top.board import Board

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def job(number: int) -> UUID:
    return UUID(f"019d0000-0000-7000-8000-{number:012x}")


def task(name: str, queued: int = 0, active: int = 0, limit: int | None = None, *, done: float = 0, failed: float = 0,
         p50: float | None = None, p95: float | None = None, waits: float | None = None, max_wait: float | None = None,
         paused: str | None = None, queue: str = "ingest") -> Row:  # fmt: skip
    wait = None if waits is None else timedelta(seconds=waits)
    longest = None if max_wait is None else timedelta(seconds=max_wait)
    late = wait is not None and longest is not None and wait > longest and paused is None
    return Row(
        task=name, queue=queue, queued=queued, active=active, active_limit=limit, done_per_minute=done, failed_per_minute=failed,
        p50=p50, p95=p95, wait=wait, max_wait=longest, is_late=late, paused=paused,
    )  # fmt: skip


def running(number: int, name: str, seconds: float, worker: str, pid: int, *, attempt: int = 1, stopping: bool = False,
            **progress: object) -> Row:  # fmt: skip
    return Row(
        id=job(number), task=name, since=ago(seconds), attempt=attempt, progress=progress, is_stopping=stopping,
        host=worker, pid=pid,
    )  # fmt: skip


def waiting(
    number: int, attempt: int, run_at: datetime, *, priority: int = 0, key: str | None = None, why: str | None = None
) -> Row:
    return Row(id=job(number), attempt=attempt, deaths=0, priority=priority, run_at=run_at, key=key, waiting_for=why)


def failed(number: int, name: str, attempt: int, seconds: float, kind: str, message: str) -> Row:
    return Row(id=job(number), task=name, attempt=attempt, completed_on=ago(seconds), type=kind, message=message)


def schedule(
    name: str, cron: str, last: float, result: str, after: int | None, *, zone: str = "UTC", by: str | None = None
) -> Row:
    """Its last tick was some seconds ago, its next one is after some minutes."""
    due = None if after is None else NOW + after * MINUTE
    return Row(
        schedule=name, cron=cron, timezone=zone, last_tick=ago(last), last_result=result, next_tick=due, paused_by=by
    )


def limit(name: str, active: int, most: int | None, rate: int, next_on: datetime | None = None) -> Row:
    return Row(
        name=name, active=active, active_limit=most, rate_count=rate, rate_period=MINUTE, next_on=next_on, paused_by=None,
        closed_by=None, closed_until=None, units=None,
    )  # fmt: skip


def process(number: int, host: str, pid: int, busy: int, threads: int, seconds: float, *, revision: int = 12, queues: str = "ingest",
            stopping: bool = False, late: bool = False, kind: str = "worker") -> Row:  # fmt: skip
    return Row(
        id=job(number), kind=kind, host=host, pid=pid, revision=revision, queues=queues.split(), threads=threads, busy=busy,
        stopping=stopping, heartbeat=ago(seconds), is_late=late,
    )  # fmt: skip


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
        running(1, "analyze-story", 19, "worker-1", 4711, done=36, total=43, note="paragraphs"),
        running(2, "extract-highlights", 14, "worker-1", 4711, done=5, total=11, note="quotes"),
        running(3, "story-summarize", 6, "worker-1", 4712, done=1, total=4, note="stories"),
        running(4, "fetch-content", 3, "worker-1", 4711, attempt=2),
        running(5, "ingest-from-upload", 2.2, "worker-2", 102, note="page 3"),
        running(6, "score-relevance", 0.2, "worker-2", 102, stopping=True),
    ),
    waiting_of="extract-highlights",
    waiting=(
        waiting(20, 1, ago(734)),
        waiting(21, 0, ago(731), priority=5, key="example.org"),
        waiting(22, 2, ago(729)),
        waiting(23, 1, NOW + MINUTE),
        waiting(24, 0, NOW + 5 * MINUTE, why="the budget of today is spent"),
    ),
    failed=(
        failed(40, "fetch-content", 4, 8, "OSError", "no route to host example.org"),
        failed(41, "ingest-source", 1, 95, "Reject", "not a feed: line 1, column 7"),
    ),
    schedules=(
        schedule("ingest-pull", "*/5 * * * *", 300, "completed", 5),
        schedule("dedupe-insights", "*/15 * * * *", 600, "failed", 15),
        schedule("cluster-stories", "0 * * * *", 3600, "skipped", 60),
        schedule("generate-brief", "0 6 * * mon-fri", 25_200, "completed", 17 * 60, zone="Europe/Paris"),
        schedule("send-digest", "30 6 * * *", 105_000, "completed", None, by="ann@desk"),
    ),
    limits=(limit("limit/ai", 8, 8, 60), limit("limit/hosts", 9, None, 20, NOW + timedelta(seconds=3))),
    workers=(
        process(60, "worker-1", 4711, 16, 16, 2, queues="ai ingest"),
        process(61, "worker-1", 4712, 15, 16, 3, queues="ai ingest"),
        process(62, "worker-2", 102, 4, 8, 1, revision=11, stopping=True),
        process(63, "worker-3", 77, 2, 8, 24, late=True),
        process(64, "worker-1", 4715, 0, 0, 20, queues="", kind="scheduler"),
    ),
)  # fmt: skip
