"""The program of docs/error-trackers.md with real workers: the page's statements about events, middleware and on_failed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentry_sdk

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.testing.blocks import blocks
from tests.zeke_jobs.worker.test_sentry import Kept, end
from tests.zeke_jobs.working import working
from zeke_jobs import config
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
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = blocks(PAGE, "shop.py")
    (tmp_path / "shop.py").write_text("\n\n".join(shop[part] for part in parts))
    for name in ("tracker.py", "jobs.yaml"):
        (tmp_path / name).write_text(blocks(PAGE, name)[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("shop", "tracker"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with working(config.load(tmp_path / "jobs.yaml"), database, threads=2):
        job = zeke_jobs.send("send-mail", {"to": "ada@example.org"})
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job.id, timeout=30)
        report = f"send-mail {job.id}: ConnectionError: the mail server is away, with {{'to': 'ada@example.org'}}"
        (child,) = zeke_jobs.jobs(parent=job.id)
        assert zeke_jobs.wait(child.id, timeout=30) == report
        eventually(lambda: len(sent.events) >= len(outcomes))
    for name in ("shop", "tracker"):
        sys.modules.pop(name, None)
    assert [event["tags"]["outcome"] for event in sent.events] == outcomes
    frame = sent.events[-1]["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["context_line"].split("(")[0].strip()) == ("send_mail", "raise ConnectionError")
    lines = [record.getMessage() for record in caplog.records if record.name == "tracker"]
    assert lines == [f"send-mail({job.id})"]
