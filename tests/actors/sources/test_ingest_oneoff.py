from typing import Any

import pytest

from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline
from zeke_jobs import Reject

PAGE = Answer(page("A", paragraphs("the queue")))


def test_a_page_becomes_an_item_of_its_sites_manual_source(pipeline: Pipeline) -> None:
    for url in ("https://www.a.example/1", "https://a.example/2", "https://b.example/1"):
        pipeline.run("ingest-oneoff", url=url, requestedBy="ada")
    assert pipeline.query("SELECT type, url, name FROM sources ORDER BY url") == [
        ("manual", "https://a.example", "a.example"),
        ("manual", "https://b.example", "b.example"),
    ]
    assert pipeline.query("SELECT count(*) FROM raw_items WHERE metadata ->> 'requested_by' = 'ada'") == [(3,)]
    assert pipeline.tasks_sent() == ["fetch-content"] * 3


def test_asking_twice_changes_nothing_but_tries_again_what_failed(pipeline: Pipeline, site: Site) -> None:
    pipeline.run("ingest-oneoff", url=f"{site.url}/a")
    pipeline.drain()
    assert pipeline.outcomes() == {"not_found": 1}
    site.pages["/a"] = PAGE
    first = pipeline.run("ingest-oneoff", url=f"{site.url}/a")
    assert first["outcome"] == "queued"
    assert pipeline.run("ingest-oneoff", url=f"{site.url}/a?utm_source=x")["raw_item_id"] == first["raw_item_id"]
    assert len(pipeline.sent) == 1
    pipeline.drain()
    before = pipeline.snapshot()
    again = pipeline.run("ingest-oneoff", url=f"{site.url}/a")
    assert (again["outcome"], again["story_id"]) == ("stored", str(pipeline.query("SELECT id FROM stories")[0][0]))
    assert pipeline.snapshot() == before
    assert pipeline.tasks_sent() == ["analyze-story"]


def test_high_priority_goes_with_all_that_follows(pipeline: Pipeline, site: Site) -> None:
    site.pages["/a"] = PAGE
    pipeline.run("ingest-oneoff", url=f"{site.url}/a", priority="high")
    assert [options["priority"] for _, _, options in pipeline.sent] == [20]
    pipeline.drain()
    assert [(task, options["priority"]) for task, _, options in pipeline.sent] == [("analyze-story", 20)]
    pipeline.run("ingest-oneoff", url=f"{site.url}/b")
    assert pipeline.sent[-1][2]["priority"] is None


@pytest.mark.parametrize(
    "url",
    ["no address", "x", "ftp://a/", "file:///etc/passwd", "http://", "http://a b/", "http://[", "http://a:99999/",
     "http://user:secret@a.example/"],
)  # fmt: skip
def test_what_is_no_address_is_rejected_in_words(pipeline: Pipeline, url: str) -> None:
    with pytest.raises(Reject, match="expected an") as caught:
        pipeline.run("ingest-oneoff", url=url)
    assert "secret" not in str(caught.value)
    assert pipeline.query("SELECT count(*) FROM sources") == [(0,)]


def test_the_item_of_a_oneoff_and_of_a_feed_make_one_story(pipeline: Pipeline, site: Site, fetched: Any) -> None:
    fetched("/a", paragraphs("the queue"))
    pipeline.run("ingest-oneoff", url=f"{site.url}/a")
    pipeline.drain()
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 1}
