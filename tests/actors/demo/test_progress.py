import io
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.demo import progress
from zeke_jobs.cli.output import Console


def test_quiet_means_that_nothing_waits_or_runs() -> None:
    assert progress.is_quiet({})
    assert progress.is_quiet({"fetch-content": {"completed": 3, "failed": 1, "cancelled": 2}})
    for status in ("created", "active", "retry"):
        assert not progress.is_quiet({"fetch-content": {"completed": 3, status: 1}})


def test_a_line_names_the_sums_and_the_busy_tasks() -> None:
    found = {"fetch-content": {"completed": 3, "active": 1}, "ingest-source": {"completed": 2}}
    assert progress.line(found, 4.25) == "  4.2 s  1 active, 5 completed  (fetch-content)"


def test_the_table_has_a_row_per_task_and_their_sum() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100)
    console.print(progress.table({"b": {"completed": 3}, "a": {"completed": 4, "failed": 1}}, "Jobs"))
    rows = [line for line in out.getvalue().splitlines() if "│" in line]
    assert [row.split("│")[1].strip() for row in rows] == ["a", "b", "all"]
    assert rows[-1].split("│")[5].strip() == "7"


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def scripted(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> None:
    """Each look at the database takes the next answer, and a second on the clock."""
    clock = [0.0]
    left = list(answers)

    def look(_conn: object) -> dict[str, Any]:
        clock[0] += 1.0
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(progress, "counts", look)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def follow(console: Console, limit: float = 50) -> bool:
    conn: Any = None
    return progress.follow(conn, console, lambda: None, progress.is_quiet, limit)


def test_it_ends_when_all_stays_done(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    scripted(monkeypatch, {"a": {"active": 1}}, {"a": {"completed": 1}})
    assert follow(console) is True


def test_a_job_that_sends_another_is_not_the_end(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.setattr(progress, "_SETTLED", 1.5)
    scripted(monkeypatch, {"a": {"completed": 1}}, {"b": {"created": 1}}, {"b": {"active": 1}}, {"b": {"completed": 1}})
    assert follow(console) is True
    assert "1 active" in console.file.getvalue()  # type: ignore[attr-defined]


def test_it_gives_up_after_its_limit(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    scripted(monkeypatch, {"a": {"active": 1}})
    assert follow(console, limit=5) is False


def test_what_step_raises_is_not_hidden(console: Console) -> None:
    def step() -> None:
        raise RuntimeError("the workers ended")

    conn: Any = None
    with pytest.raises(RuntimeError, match="the workers ended"):
        progress.follow(conn, console, step, progress.is_quiet, 5)


def test_jobs_are_counted_by_task_and_status(conn: Connection) -> None:
    assert progress.counts(conn) == {}
