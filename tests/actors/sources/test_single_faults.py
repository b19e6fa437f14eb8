"""A fault of one feed or item is recorded with it and delays no other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg2 import DataError

from actors.cli.app import run
from actors.engine.contract import ContentSource
from tests.actors.database import execute
from tests.actors.scripted_site import Answer, Site, atom, page, paragraphs
from tests.actors.sources.conftest import Pipeline
from zeke_jobs.testing import set_clock

TEXT = "A text that is long enough to be a story, with a number of its own: {0}. " * 10


def test_a_source_that_fails_in_a_way_nobody_foresaw_is_unhealthy_and_backs_off(
    pipeline: Pipeline, add_source: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def fetch_source(self, *_: object) -> ContentSource:
            raise ZeroDivisionError("nobody foresaw this")

    pipeline.engine = Broken()  # type: ignore[assignment]
    source = add_source("https://a.example/f")
    with pytest.raises(ZeroDivisionError):
        pipeline.run("ingest-source", source_id=source)
    assert pipeline.query("SELECT failures, next_check_at > zeke_jobs.now() FROM source_polling") == [(1, True)]
    ((status, message),) = pipeline.query("SELECT status, message FROM source_health")
    assert status == "error"
    assert "ingest-source failed: " in message
    assert pipeline.run("ingest-source", source_id=source) == {"outcome": "not_due"}
    assert run(["sources", "health"]) == 0
    assert "ingest-source failed" in capsys.readouterr().out


@pytest.fixture
def edited(pipeline: Pipeline, site: Site, source: UUID) -> Callable[[str], int]:
    """Reads a feed whose entry was updated then; tells how many edits are seen."""
    site.pages["/1"] = Answer(page("T", paragraphs("a thing")))

    def poll(updated: str) -> int:
        entry = f'<id>1</id><title>t</title><link href="{site.url}/1"/><updated>{updated}</updated>'
        site.pages["/feed"] = Answer(atom(entry))
        found: int = pipeline.poll(source)["edited"]
        pipeline.drain()
        return found

    return poll


@pytest.mark.parametrize("shift", [timedelta(0), timedelta(hours=3)])
def test_an_update_in_the_future_is_no_edit_until_then(pipeline: Pipeline, edited: Any, shift: timedelta) -> None:
    began = datetime.now(UTC).replace(microsecond=0)

    def poll(after: timedelta, updated: datetime) -> int:
        set_clock(pipeline.conn, began + after)
        return edited(updated.isoformat())  # type: ignore[no-any-return]

    hour = timedelta(hours=1)
    poll(0 * hour, began + 2 * hour)
    assert pipeline.outcomes() == {"stored": 1}
    assert poll(1 * hour, began + 2 * hour + shift) == 0
    assert poll(2 * hour, began + 4 * hour) == 0
    assert poll(3 * hour, began + 5 * hour) == 0
    assert poll(6 * hour, began + 5 * hour) == 1, "it has come, and is another one than when the text was read"
    assert poll(7 * hour, began + 5 * hour) == 0


def test_a_far_future_that_was_mended_is_one_edit(edited: Any) -> None:
    assert [edited(f"{year}-01-01T00:00:00Z") for year in (2099, 2099, 2026, 2026)] == [0, 0, 1, 0]


def test_an_item_that_cannot_be_stored_holds_up_no_other(
    pipeline: Pipeline, site: Site, add_item: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        site.pages[f"/{n}"] = Answer(page(f"T{n}", paragraphs(f"thing {n}")))
    ids = [add_item(f"{site.url}/{n}", title=f"T{n}") for n in range(3)]

    def stumble(tx: Any, item: Any, *rest: Any) -> Any:
        if item.id == ids[0]:
            execute(tx, "SELECT 3600000000::integer")
        return file_text(tx, item, *rest)

    from actors.sources.filing import file_text

    monkeypatch.setattr("actors.sources.content.file_text", stumble)
    with pytest.raises(DataError):
        pipeline.fetch(*ids)
    assert pipeline.outcomes() == {"queued": 1, "stored": 2}


def test_an_identity_of_any_length_is_uploaded_once(pipeline: Pipeline, add_source: Any) -> None:
    long = "".join(map(str, range(2_000)))
    given = [{"externalId": one, "text": TEXT.format(one)} for one in (f"{long}a", f"{long}b", "short")]
    source = add_source("https://a.example/uploads", "upload")
    assert pipeline.run("ingest-from-upload", source_id=source, items=given)["queued"] == 3
    assert pipeline.run("ingest-from-upload", source_id=source, items=given)["known"] == 3


def test_a_signed_address_of_any_length_is_brought_in_once(pipeline: Pipeline) -> None:
    url = "https://a.example/page?signature=" + "".join(map(str, range(1_000)))
    first = pipeline.run("ingest-oneoff", url=url)
    assert first["outcome"] == "queued"
    assert pipeline.run("ingest-oneoff", url=url)["raw_item_id"] == first["raw_item_id"]
