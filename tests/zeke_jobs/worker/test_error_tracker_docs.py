"""The program of docs/error-trackers.md with real workers: the page's statements about events, middleware and on_failed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sentry_sdk

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker.test_sentry import Kept, end
from tests.zeke_jobs.working import program, working
from zeke_jobs.errors import JobFailed

PAGE = Path(__file__).parents[3] / "docs" / "error-trackers.md"
FIRST, ONLY_LAST, HANDLERS = range(3)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """The events that the page's programs would send: their init gets another transport."""
    kept, init = Kept(), sentry_sdk.init
    monkeypatch.setenv("SENTRY_DSN", "http://key@127.0.0.1:1/1")
    monkeypatch.setattr(sentry_sdk, "init", lambda **options: init(**options, transport=kept))
    yield kept
    end()


@pytest.mark.parametrize(
    ("parts", "outcomes"), [((FIRST, HANDLERS), ["retry", "failed"]), ((FIRST, ONLY_LAST, HANDLERS), ["failed"])]
)
def test_three_lines_connect_sentry(
    parts: tuple[int, ...],
    outcomes: list[str],
    tmp_path: Path,
    database: str,
    sent: Kept,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        program(PAGE, tmp_path, "shop.py", "tracker.py", "jobs.yaml", parts=parts) as config,
        working(config, database, threads=2),
    ):
        job = zeke_jobs.send("send-mail", {"to": "ada@example.org"})
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job.id, timeout=30)
        report = (
            f"send-mail {job.id}: ConnectionError: the mail server is unreachable, with {{'to': 'ada@example.org'}}"
        )
        (child,) = zeke_jobs.jobs(parent=job.id)
        assert zeke_jobs.wait(child.id, timeout=30) == report
        eventually(lambda: len(sent.events) >= len(outcomes))
    assert [event["tags"]["outcome"] for event in sent.events] == outcomes
    frame = sent.events[-1]["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["context_line"].split("(")[0].strip()) == ("send_mail", "raise ConnectionError")
    lines = [record.getMessage() for record in caplog.records if record.name == "tracker"]
    assert lines == [f"send-mail({job.id})"]
