import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from psycopg2.errors import LockNotAvailable

from actors.sources.likeness import bands, jaccard, shingles
from actors.store import items
from tests.actors.scripted_site import Answer, Asked, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline, at_once
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.testing import FakeContext

RELEASE = paragraphs("the release", 10)
ALIKE = RELEASE + "<p>Our own end.</p>"
UNLIKE = "".join(f"<p>Nothing alike stands in sentence {n} of it.</p>" for n in range(20))
CLUSTERED = "SELECT count(DISTINCT cluster_id), count(cluster_id) FROM stories"
CANONICAL = '<link rel="canonical" href="{}">'


def test_two_links_to_one_page_and_pages_that_call_one_address_their_own_make_one_story(pipeline: Pipeline) -> None:
    for path in (paths := ("/a", "/a?utm_source=rss", "/a/amp")):
        pipeline.serve(path, f"the queue as {path} tells it")
    pipeline.fetch(*map(pipeline.add_item, paths))
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 2}
    assert pipeline.query("SELECT count(DISTINCT story_id), count(story_id) FROM item_outcomes") == [(1, 3)]
    assert pipeline.tasks_sent() == ["analyze-story"]
    text, head = paragraphs("the text"), CANONICAL.format(pipeline.at("/own"))
    for path, end in (("/one", ""), ("/two", "<p>Printed for you.</p>"), ("/own", "<p>Read more.</p>")):
        pipeline.fetched(path, text + end, head)
    assert pipeline.outcomes() == {"stored": 2, "duplicate": 4}
    urls = pipeline.query("SELECT primary_url FROM stories ORDER BY 1")
    assert urls == [(pipeline.at("/a"),), (pipeline.at("/own"),)]


def test_a_page_takes_no_story_by_claiming_its_url_but_a_copy_that_names_it_is_a_duplicate(pipeline: Pipeline) -> None:
    real, head = paragraphs("what has really happened"), CANONICAL.format(pipeline.at("/real"))
    with Site() as other:
        texts = {
            "/evil": "".join(f"<p>Buy my pills number {n} now!</p>" for n in range(20)),
            "/more": "".join(f"<p>Or take {n} of these here.</p>" for n in range(20)),
            "/copy": real + "<p>First printed there.</p>",
        }
        other.pages |= {path: Answer(page("E", text, head)) for path, text in texts.items()}
        pipeline.fetch(pipeline.add_item(f"{other.url}/evil"))
        pipeline.fetched("/real", real)
        pipeline.fetch(pipeline.add_item(f"{other.url}/more"))
        assert pipeline.outcomes() == {"stored": 3}
        addresses = {f"{other.url}/evil", f"{other.url}/more", pipeline.at("/real")}
        assert {row[0] for row in pipeline.query("SELECT primary_url FROM stories")} == addresses
        pipeline.fetch(pipeline.add_item(f"{other.url}/copy"))
    assert pipeline.outcomes() == {"stored": 3, "duplicate": 1}
    # A faulty site template may give all pages the same canonical address.
    for n, topic in enumerate(("rivers run to the sea", "engines need oil", "bread is baked at night")):
        text = "".join(f"<p>Number {k} of what {topic} means to {n}.</p>" for k in range(20))
        pipeline.fetched(f"/blog/{n}", text, CANONICAL.format(pipeline.at("/blog/")))
    assert pipeline.outcomes() == {"stored": 6, "duplicate": 1}
    assert pipeline.query("SELECT count(DISTINCT primary_url) FROM stories") == [(6,)]


def test_a_copy_from_one_more_source_is_told_to_the_analysis_and_a_second_is_not(pipeline: Pipeline) -> None:
    other = pipeline.add_source("https://b.example/feed")
    for path, source in (("/one", None), ("/two", other), ("/three", other)):
        pipeline.fetched(path, "the same text", source=source)
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 2}
    assert [payload["trigger"] for _, payload, _ in pipeline.sent] == ["auto", "grown"]
    assert len({payload["story_id"] for _, payload, _ in pipeline.sent}) == 1


def test_a_near_duplicate_is_a_story_in_one_cluster_also_by_an_edit(pipeline: Pipeline) -> None:
    near = ALIKE.replace("Paragraph 2 says", "An editor added that")
    pipeline.fetched("/one", RELEASE, title="One")
    pipeline.fetched("/two", near, source=pipeline.add_source("https://b.example/feed"), title="Two")
    third = pipeline.fetched("/three", UNLIKE, title="Three")
    assert pipeline.outcomes() == {"stored": 3}
    clusters = dict(pipeline.query("SELECT title, cluster_id FROM stories"))
    assert clusters["One"] == clusters["Two"] is not None
    assert clusters["Three"] is None
    lead = "SELECT s.title, c.metrics FROM story_clusters AS c JOIN stories AS s ON s.id = c.primary_story_id"
    assert pipeline.query(lead) == [("One", {"stories": 2, "sources": 2})]
    again(pipeline, third, ALIKE)
    assert pipeline.query(CLUSTERED) == [(1, 3)]


@pytest.mark.parametrize("kinds", ["one address", "one text", "near duplicates"])
def test_workers_at_the_same_time_make_one_story_of_one_text(pipeline: Pipeline, kinds: str) -> None:
    # In an earlier version, two workers made two stories of one text.
    workers, ids = 6, []
    for n in range(workers):
        words = {"one address": f"variant {n}", "one text": ("the text", "THE  text")[n % 2]}.get(kinds, "the text")
        end = f"<p>Number {n} ends in its own way.</p>" if kinds == "near duplicates" else ""
        path = f"/{'same' if kinds == 'one address' else n}?utm_source={n}"
        pipeline.serve(path, paragraphs(words, 12) + end)
        ids.append(pipeline.add_item(path))
    barrier = threading.Barrier(workers)

    def work(item: UUID) -> None:
        barrier.wait()
        pipeline.beside("fetch-content", raw_item_ids=[item])

    at_once([lambda item=item: work(item) for item in ids])  # type: ignore[misc]
    if kinds == "near duplicates":
        assert pipeline.outcomes() == {"stored": workers}
        assert pipeline.query(CLUSTERED) == [(1, workers)]
    else:
        assert pipeline.outcomes() == {"stored": 1, "duplicate": workers - 1}
        assert pipeline.query("SELECT count(*) FROM stories") == [(1,)]


@pytest.mark.parametrize("waits", [False, True])
def test_only_texts_alike_wait_for_each_other(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, waits: bool) -> None:
    pipeline.serve("/first", RELEASE)
    pipeline.serve("/second", ALIKE if waits else UNLIKE)
    first, second = map(pipeline.add_item, ("/first", "/second"))

    def work() -> None:
        with closing(connect(pipeline.database)) as conn, conn.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
            Pipeline(pipeline.database, conn, pipeline.site).fetch(second)

    errors: list[BaseException | None] = []
    send = FakeContext.send

    def file_the_other_one_first(ctx: FakeContext, *args: Any, **options: Any) -> Any:
        if not errors:  # The first text is filed but not yet committed.
            errors.append(None)
            with ThreadPoolExecutor(1) as pool:
                errors.append(pool.submit(work).exception(30))
        return send(ctx, *args, **options)

    monkeypatch.setattr(FakeContext, "send", file_the_other_one_first)
    pipeline.fetch(first)
    assert isinstance(errors[1], LockNotAvailable) if waits else errors[1] is None


def test_a_story_that_is_read_again_waits_for_its_cluster_before_it_is_held(pipeline: Pipeline) -> None:
    # If filing locked the story before the cluster, filing and an analysis could deadlock.
    item = pipeline.fetched("/one", RELEASE, title="As it was")
    pipeline.fetched("/two", ALIKE)
    pipeline.serve("/one", RELEASE + "<p>One more sentence.</p>")
    pipeline.query("UPDATE raw_items SET title = 'As it is now' WHERE id = %s", item)
    items.queue(pipeline.conn, [item])
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        with closing(connect(pipeline.database)) as analysis, transaction(analysis), analysis.cursor() as cursor:
            cursor.execute("SELECT FROM story_clusters FOR NO KEY UPDATE")
            filing = pool.submit(pipeline.beside, "fetch-content", raw_item_ids=[item])
            while not (pipeline.query(waiting) or filing.done()):
                time.sleep(0.01)
            cursor.execute("SELECT FROM stories FOR NO KEY UPDATE NOWAIT")
        filing.result(30)
    assert pipeline.outcomes() == {"updated": 1, "stored": 1}


def test_two_jobs_with_the_same_item_end_it_once(pipeline: Pipeline) -> None:
    together = threading.Barrier(2)

    def answer(_: Asked) -> Answer:
        together.wait()
        return Answer(page("T", paragraphs("the text")))

    pipeline.site.pages["/a"] = answer
    item = pipeline.add_item("/a")
    ended = at_once([lambda: pipeline.beside("fetch-content", raw_item_ids=[item])] * 2)
    assert sorted(str(result["outcomes"]) for result, _ in ended) == ["{'ended_elsewhere': 1}", "{'stored': 1}"]
    assert [task for _, sent in ended for task, _, _ in sent] == ["analyze-story"]


def again(pipeline: Pipeline, item: UUID, answer: Answer | str | None = None) -> dict[str, int]:
    """Fetch an item's page again, with a new answer if one is given; return all outcomes."""
    if answer:
        ((url,),) = pipeline.query("SELECT url FROM raw_items WHERE id = %s", item)
        pipeline.serve(url.removeprefix(pipeline.site.url), answer)
    items.queue(pipeline.conn, [item])
    pipeline.sent.clear()
    pipeline.fetch(item)
    return pipeline.outcomes()


@pytest.mark.parametrize("edited", ["My own title", None])
def test_a_story_follows_its_article_but_for_an_edited_title(pipeline: Pipeline, edited: str | None) -> None:
    item = pipeline.fetched("/a", "the first wording", title="First")
    story = pipeline.query("SELECT id FROM stories")
    if edited:
        pipeline.query("UPDATE stories SET title = %s", edited)
    assert (again(pipeline, item), pipeline.sent) == ({"stored": 1}, []), "it reads as before"
    for title in ("Second", "Third"):
        pipeline.query("UPDATE raw_items SET title = %s", title)
        assert again(pipeline, item, f"the {title} wording" if edited else None) == {"updated": 1}
        assert pipeline.query("SELECT title FROM stories") == [(edited or title,)]
        if edited:
            told = "SELECT text_body LIKE %s, revision FROM contents JOIN content_details ON content_id = id"
            assert pipeline.query(told, f"%{title} wording%") == [(True, {"Second": 2, "Third": 3}[title])]
            assert pipeline.tasks_sent() == ["analyze-story"]
    assert again(pipeline, item, Answer(status=403)) == {"stored": 1}
    assert again(pipeline, item, Answer(status=410)) == {"retracted": 1}
    assert pipeline.query("SELECT id FROM stories") == story


def test_texts_that_are_half_alike_share_a_band_and_short_ones_of_other_words_none() -> None:
    chance, found = random.Random(11), 0
    for _ in range(40):
        words = [f"word{chance.randrange(10**6)}" for _ in range(300)]
        edited = ["edited" if at % 18 == 0 else word for at, word in enumerate(words)]
        one, other = (shingles(" ".join(each)) for each in (words, edited))
        assert 0.5 < jaccard(one, other) < 0.6
        found += bool({*bands(one)} & {*bands(other)})
    assert found == 40
    rain, mills = (
        bands(shingles(text)) for text in ("Rain fell on the hills of Velm", "A mill of Orrin burned on Monday")
    )
    assert not {*rain} & {*mills}
    tool, software = (shingles(f"纽约时报中文网报道前高管揭露内幕配合北京开发审查{end}") for end in ("工具", "软件"))
    assert jaccard(tool, software) > 0.7
