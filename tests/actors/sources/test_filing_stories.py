import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from psycopg2.errors import LockNotAvailable

from actors.store import items
from tests.actors.scripted_site import Answer, Asked, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline, at_once
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.testing import FakeContext

RELEASE = paragraphs("the release", 10)
ALIKE = RELEASE + "<p>Our own end.</p>"
UNLIKE = "".join(f"<p>Nothing alike stands in sentence {n} of it.</p>" for n in range(20))
CLUSTERED = "SELECT count(DISTINCT cluster_id), count(cluster_id) FROM stories"


def canonical(url: str) -> str:
    return f'<link rel="canonical" href="{url}">'


def test_two_links_to_one_page_make_one_story(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    paths = ("/a", "/a?utm_source=rss", "/a/amp")
    for path in paths:
        site.pages[path] = Answer(page("A", paragraphs(f"the queue as {path} tells it")))
    pipeline.fetch(*(add_item(f"{site.url}{path}") for path in paths))
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 2}
    assert pipeline.query("SELECT count(DISTINCT story_id), count(story_id) FROM item_outcomes") == [(1, 3)]
    assert pipeline.tasks_sent() == ["analyze-story"]


def test_a_page_is_known_by_the_address_that_it_calls_its_own(pipeline: Pipeline, site: Site, fetched: Any) -> None:
    text, head = paragraphs("the text"), canonical(f"{site.url}/a")
    fetched("/one", text, head)
    fetched("/two", text + "<p>Printed for you.</p>", head)
    fetched("/a", text + "<p>Read more.</p>")
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 2}
    assert pipeline.query("SELECT primary_url FROM stories") == [(f"{site.url}/a",)]


def test_a_page_takes_no_story_by_claiming_anothers_address_but_a_copy_that_names_it_is_its_duplicate(
    pipeline: Pipeline, site: Site, add_item: Any, fetched: Any
) -> None:
    real, head = paragraphs("what has really happened"), canonical(f"{site.url}/real")
    with Site() as other:
        texts = {
            "/evil": "".join(f"<p>Buy my pills number {n} now!</p>" for n in range(20)),
            "/more": "".join(f"<p>Or take {n} of these here.</p>" for n in range(20)),
            "/copy": real + "<p>First printed there.</p>",
        }
        other.pages |= {path: Answer(page("E", text, head)) for path, text in texts.items()}
        pipeline.fetch(add_item(f"{other.url}/evil"))
        fetched("/real", real)
        pipeline.fetch(add_item(f"{other.url}/more"))
        assert pipeline.outcomes() == {"stored": 3}
        addresses = {f"{other.url}/evil", f"{other.url}/more", f"{site.url}/real"}
        assert {row[0] for row in pipeline.query("SELECT primary_url FROM stories")} == addresses
        pipeline.fetch(add_item(f"{other.url}/copy"))
    assert pipeline.outcomes() == {"stored": 3, "duplicate": 1}


def test_a_template_with_one_address_on_all_pages_loses_none(pipeline: Pipeline, site: Site, fetched: Any) -> None:
    for n, topic in enumerate(("rivers run to the sea", "engines need oil", "bread is baked at night")):
        text = "".join(f"<p>Number {k} of what {topic} means to {n}.</p>" for k in range(20))
        fetched(f"/blog/{n}", text, canonical(f"{site.url}/blog/"))
    assert pipeline.outcomes() == {"stored": 3}
    assert pipeline.query("SELECT count(DISTINCT primary_url) FROM stories") == [(3,)]


def test_a_copy_from_one_more_source_is_told_to_the_analysis_and_a_second_of_the_same_is_not(
    pipeline: Pipeline, fetched: Any, add_source: Any
) -> None:
    other = add_source("https://b.example/feed")
    for path, source in (("/one", None), ("/two", other), ("/three", other)):
        fetched(path, paragraphs("the same text"), source=source)
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 2}
    assert [payload["trigger"] for _, payload, _ in pipeline.sent] == ["auto", "grown"]
    assert len({payload["story_id"] for _, payload, _ in pipeline.sent}) == 1


def test_a_near_duplicate_is_a_story_in_one_cluster(pipeline: Pipeline, fetched: Any, add_source: Any) -> None:
    fetched("/one", RELEASE, title="One")
    near = ALIKE.replace("Paragraph 2 says", "An editor added that")
    fetched("/two", near, source=add_source("https://b.example/feed"), title="Two")
    fetched("/three", UNLIKE, title="Three")
    assert pipeline.outcomes() == {"stored": 3}
    clusters = dict(pipeline.query("SELECT title, cluster_id FROM stories"))
    assert clusters["One"] == clusters["Two"] is not None
    assert clusters["Three"] is None
    lead = "SELECT s.title, c.metrics FROM story_clusters AS c JOIN stories AS s ON s.id = c.primary_story_id"
    assert pipeline.query(lead) == [("One", {"stories": 2, "sources": 2})]


@pytest.mark.parametrize("kinds", ["one address", "one text", "near duplicates"])
def test_workers_at_the_same_time_make_one_story_of_one_text(
    site: Site, pipeline: Pipeline, add_item: Any, beside: Any, kinds: str
) -> None:
    # In an earlier version two workers made two stories of one text.
    workers, ids = 6, []
    for n in range(workers):
        words = {"one address": f"variant {n}", "one text": ("the text", "THE  text")[n % 2]}.get(kinds, "the text")
        end = f"<p>Number {n} ends in its own way.</p>" if kinds == "near duplicates" else ""
        path = f"/{'same' if kinds == 'one address' else n}?utm_source={n}"
        site.pages[path] = Answer(page("T", paragraphs(words, 12) + end))
        ids.append(add_item(f"{site.url}{path}"))
    barrier = threading.Barrier(workers)

    def work(item: UUID) -> None:
        barrier.wait()
        beside("fetch-content", raw_item_ids=[item])

    at_once([lambda item=item: work(item) for item in ids])  # type: ignore[misc]
    if kinds == "near duplicates":
        assert pipeline.outcomes() == {"stored": workers}
        assert pipeline.query(CLUSTERED) == [(1, workers)]
    else:
        assert pipeline.outcomes() == {"stored": 1, "duplicate": workers - 1}
        assert pipeline.query("SELECT count(*) FROM stories") == [(1,)]


@pytest.mark.parametrize("waits", [False, True])
def test_only_texts_that_are_alike_are_filed_one_after_another(
    database: str, site: Site, pipeline: Pipeline, add_item: Any, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    site.pages["/first"] = Answer(page("First", RELEASE))
    site.pages["/second"] = Answer(page("Second", ALIKE if waits else UNLIKE))
    first, second = add_item(f"{site.url}/first"), add_item(f"{site.url}/second")

    def work() -> None:
        with closing(connect(database)) as conn, conn.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
            Pipeline(conn, pipeline.engine).fetch(second)

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


def test_a_story_that_is_read_again_waits_for_its_cluster_before_it_is_held(
    database: str, site: Site, pipeline: Pipeline, fetched: Any, beside: Any
) -> None:
    # If filing locked the story before the cluster, filing and an analysis could deadlock.
    item = fetched("/one", RELEASE, title="As it was")
    fetched("/two", ALIKE)
    site.pages["/one"] = Answer(page("One", RELEASE + "<p>One more sentence.</p>"))
    pipeline.query("UPDATE raw_items SET title = 'As it is now' WHERE id = %s", item)
    items.queue(pipeline.conn, [item])
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        with closing(connect(database)) as analysis, transaction(analysis), analysis.cursor() as cursor:
            cursor.execute("SELECT FROM story_clusters FOR NO KEY UPDATE")
            filing = pool.submit(beside, "fetch-content", raw_item_ids=[item])
            while not (pipeline.query(waiting) or filing.done()):
                time.sleep(0.01)
            cursor.execute("SELECT FROM stories FOR NO KEY UPDATE NOWAIT")
        filing.result(30)
    assert pipeline.outcomes() == {"updated": 1, "stored": 1}


def test_two_jobs_with_the_same_item_end_it_once(site: Site, add_item: Any, beside: Any) -> None:
    together = threading.Barrier(2)

    def answer(_: Asked) -> Answer:
        together.wait()
        return Answer(page("T", paragraphs("the text")))

    site.pages["/a"] = answer
    item = add_item(f"{site.url}/a")
    ended = at_once([lambda: beside("fetch-content", raw_item_ids=[item])] * 2)
    assert sorted(str(result["outcomes"]) for result, _ in ended) == ["{'ended_elsewhere': 1}", "{'stored': 1}"]
    assert [task for _, sent in ended for task, _, _ in sent] == ["analyze-story"]


def requeue(pipeline: Pipeline, item: UUID) -> None:
    items.queue(pipeline.conn, [item])
    pipeline.sent.clear()
    pipeline.fetch(item)


def test_a_story_follows_its_article_and_keeps_its_identity(pipeline: Pipeline, site: Site, fetched: Any) -> None:
    item = fetched("/a", paragraphs("the first wording"))
    story = pipeline.query("SELECT id FROM stories")
    site.pages["/a"] = Answer(page("A", paragraphs("the second wording")))
    requeue(pipeline, item)
    assert pipeline.outcomes() == {"updated": 1}
    assert pipeline.query("SELECT id FROM stories") == story
    assert pipeline.query("SELECT text_body LIKE '%%second wording%%' FROM contents") == [(True,)]
    assert pipeline.query("SELECT revision FROM content_details") == [(2,)]
    assert pipeline.tasks_sent() == ["analyze-story"]


@pytest.mark.parametrize("edited", ["My own title", None])
def test_a_title_follows_its_article_unless_a_person_edited_it(
    pipeline: Pipeline, site: Site, fetched: Any, edited: str | None
) -> None:
    item = fetched("/a", paragraphs("the first wording"), title="First")
    if edited:
        pipeline.query("UPDATE stories SET title = %s", edited)
    requeue(pipeline, item)
    assert (pipeline.outcomes(), pipeline.sent) == ({"stored": 1}, []), "it reads as before"
    for title in ("Second", "Third"):
        if edited:
            site.pages["/a"] = Answer(page("A", paragraphs(f"the {title} wording")))
        pipeline.query("UPDATE raw_items SET title = %s", title)
        requeue(pipeline, item)
        assert pipeline.outcomes() == {"updated": 1}
        assert pipeline.query("SELECT title FROM stories") == [(edited or title,)]


def test_an_article_edited_into_a_near_duplicate_joins_its_like(pipeline: Pipeline, site: Site, fetched: Any) -> None:
    fetched("/a", RELEASE)
    item = fetched("/b", UNLIKE)
    assert pipeline.query(CLUSTERED) == [(0, 0)]
    site.pages["/b"] = Answer(page("B", ALIKE))
    requeue(pipeline, item)
    assert pipeline.query(CLUSTERED) == [(1, 2)]


@pytest.mark.parametrize(("answer", "outcome"), [(Answer(status=410), "retracted"), (Answer(status=403), "stored")])
def test_a_story_that_its_source_took_back_is_recorded_as_retracted(
    pipeline: Pipeline, site: Site, fetched: Any, answer: Answer, outcome: str
) -> None:
    item = fetched("/a", paragraphs("the wording"))
    site.pages["/a"] = answer
    requeue(pipeline, item)
    assert pipeline.outcomes() == {outcome: 1}
    assert pipeline.query("SELECT count(*) FROM stories") == [(1,)]
