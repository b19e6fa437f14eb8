"""The sample board shows every element once, for tests and for the pictures in the docs."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from zeke_jobs.postgres.queries import Row
from zeke_jobs.top.panes import Board

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


def table(columns: str, *rows: tuple[object, ...], **fixed: object) -> tuple[Row, ...]:
    """Make rows with these columns, and with ``fixed`` columns that have the same value in each row."""
    return tuple(Row(**dict(zip(columns.split(), row, strict=True)), **fixed) for row in rows)


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
    now=NOW, environment="production", revision=12, beat_on=ago(20), tasks=TASKS, waiting_of="extract-highlights",
    running=table(
        "id task since host pid attempt is_stopping progress",
        (job(1), "analyze-story", ago(19), "worker-1", 4711, 1, False, {"done": 36, "total": 43, "note": "paragraphs"}),
        (job(2), "extract-highlights", ago(14), "worker-1", 4711, 1, False, {"done": 5, "total": 11, "note": "quotes"}),
        (job(3), "story-summarize", ago(6), "worker-1", 4712, 1, False, {"done": 1, "total": 4, "note": "stories"}),
        (job(4), "fetch-content", ago(3), "worker-1", 4711, 2, False, {}),
        (job(5), "ingest-from-upload", ago(2.2), "worker-2", 102, 1, False, {"note": "page 3"}),
        (job(6), "score-relevance", ago(0.2), "worker-2", 102, 1, True, {}),
    ),
    waiting=table(
        "id attempt run_at priority key waiting_for",
        (job(20), 1, ago(734), 0, None, None),
        (job(21), 0, ago(731), 5, "example.org", None),
        (job(22), 2, ago(729), 0, None, None),
        (job(23), 1, NOW + MINUTE, 0, None, None),
        (job(24), 0, NOW + 5 * MINUTE, 0, None, "the budget of today is spent"),
        deaths=0,
    ),
    failed=table(
        "id task attempt completed_on type message",
        (job(40), "fetch-content", 4, ago(8), "OSError", "no route to host example.org"),
        (job(41), "ingest-source", 1, ago(95), "Reject", "not a feed: line 1, column 7"),
    ),
    schedules=table(
        "schedule cron last_tick last_result next_tick timezone paused_by",
        ("ingest-pull", "*/5 * * * *", ago(300), "completed", NOW + 5 * MINUTE, "UTC", None),
        ("dedupe-insights", "*/15 * * * *", ago(600), "failed", NOW + 15 * MINUTE, "UTC", None),
        ("cluster-stories", "0 * * * *", ago(3600), "skipped", NOW + 60 * MINUTE, "UTC", None),
        ("generate-brief", "0 6 * * mon-fri", ago(25_200), "completed", NOW + 17 * 60 * MINUTE, "Europe/Paris", None),
        ("send-digest", "30 6 * * *", ago(105_000), "completed", None, "UTC", "ann@desk"),
    ),
    limits=table(
        "name active active_limit rate_count next_on",
        ("limit/ai", 8, 8, 60, None),
        ("limit/hosts", 9, None, 20, NOW + timedelta(seconds=3)),
        rate_period=MINUTE, **dict.fromkeys(("paused_by", "closed_by", "closed_until", "units")),
    ),
    workers=table(
        "id kind host pid busy threads heartbeat revision queues stopping is_late",
        (job(60), "worker", "worker-1", 4711, 16, 16, ago(2), 12, ["ai", "ingest"], False, False),
        (job(61), "worker", "worker-1", 4712, 15, 16, ago(3), 12, ["ai", "ingest"], False, False),
        (job(62), "worker", "worker-2", 102, 4, 8, ago(1), 11, ["ingest"], True, False),
        (job(63), "worker", "worker-3", 77, 2, 8, ago(24), 12, ["ingest"], False, True),
        (job(64), "scheduler", "worker-1", 4715, 0, 0, ago(20), 12, [], False, False),
    ),
)  # fmt: skip
