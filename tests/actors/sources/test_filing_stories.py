import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from psycopg2.errors import LockNotAvailable

from actors.engine.local import LocalEngine
from actors.store import items
from tests.actors.scripted_site import Answer, Asked, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.testing import FakeContext


def test_two_links_to_one_page_make_one_story(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    for path in ("/a", "/a?utm_source=rss", "/a/amp"):
        site.pages[path] = Answer(page("A", paragraphs(f"the queue as {path} tells it")))
    ids = [add_item(f"{site.url}{path}") for path in ("/a", "/a?utm_source=rss", "/a/amp")]
    pipeline.run("fetch-content", raw_item_ids=ids)
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 2}
    assert pipeline.query("SELECT count(DISTINCT story_id), count(story_id) FROM item_outcomes") == [(1, 3)]
    assert pipeline.tasks_sent() == ["analyze-story"]


def test_a_page_is_known_by_the_address_that_it_calls_its_own(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    head = f'<link rel="canonical" href="{site.url}/a">'
    site.pages["/one"] = Answer(page("A", paragraphs("the text"), head))
    site.pages["/two"] = Answer(page("A", paragraphs("the text") + "<p>Printed for you.</p>", head))
    site.pages["/a"] = Answer(page("A", paragraphs("the text") + "<p>Read more.</p>"))
    for path in ("/one", "/two", "/a"):
        pipeline.run("fetch-content", raw_item_ids=[add_item(f"{site.url}{path}")])
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 2}
    assert pipeline.query("SELECT primary_url FROM stories") == [(f"{site.url}/a",)]


def test_a_page_takes_no_story_by_claiming_anothers_address(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    with Site() as other:
        head = f'<link rel="canonical" href="{site.url}/real">'
        other.pages["/evil"] = Answer(
            page("E", "".join(f"<p>Buy my pills number {n} now!</p>" for n in range(20)), head)
        )
        other.pages["/more"] = Answer(page("M", "".join(f"<p>Or take {n} of these here.</p>" for n in range(20)), head))
        site.pages["/real"] = Answer(page("R", paragraphs("what has really happened")))
        for url in (f"{other.url}/evil", f"{site.url}/real", f"{other.url}/more"):
            pipeline.run("fetch-content", raw_item_ids=[add_item(url)])
        assert pipeline.outcomes() == {"stored": 3}
        assert pipeline.query("SELECT primary_url FROM stories ORDER BY title") == [
            (f"{other.url}/evil",),
            (f"{other.url}/more",),
            (f"{site.url}/real",),
        ]


def test_a_copy_that_names_its_original_elsewhere_is_its_duplicate(
    pipeline: Pipeline, site: Site, add_item: Callable[..., UUID]
) -> None:
    with Site() as other:
        head = f'<link rel="canonical" href="{site.url}/real">'
        site.pages["/real"] = Answer(page("R", paragraphs("what has happened")))
        other.pages["/copy"] = Answer(page("R", paragraphs("what has happened") + "<p>First printed there.</p>", head))
        for url in (f"{site.url}/real", f"{other.url}/copy"):
            pipeline.run("fetch-content", raw_item_ids=[add_item(url)])
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 1}


def test_a_template_with_one_address_on_all_pages_loses_none(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    head = f'<link rel="canonical" href="{site.url}/blog/">'
    topics = ("rivers run to the sea", "engines need oil", "bread is baked at night")
    for n, topic in enumerate(topics):
        text = "".join(f"<p>Number {k} of what {topic} means to {n}.</p>" for k in range(20))
        site.pages[f"/blog/{n}"] = Answer(page(topic, text, head))
        pipeline.run("fetch-content", raw_item_ids=[add_item(f"{site.url}/blog/{n}")])
    assert pipeline.outcomes() == {"stored": 3}
    assert pipeline.query("SELECT count(DISTINCT primary_url) FROM stories") == [(3,)]


def test_a_copy_from_one_more_source_is_told_to_the_analysis_and_a_second_of_the_same_is_not(
    pipeline: Pipeline, site: Site, add_item: Callable[..., UUID], add_source: Callable[..., UUID]
) -> None:
    for path in ("/one", "/two", "/three"):
        site.pages[path] = Answer(page("A", paragraphs("the same text")))
    other = add_source("https://b.example/feed")
    pipeline.run("fetch-content", raw_item_ids=[add_item(f"{site.url}/one")])
    for path in ("/two", "/three"):
        pipeline.run("fetch-content", raw_item_ids=[add_item(f"{site.url}{path}", other)])
    assert pipeline.outcomes() == {"stored": 1, "duplicate": 2}
    assert [payload["trigger"] for _, payload, _ in pipeline.sent] == ["auto", "grown"]
    assert len({payload["story_id"] for _, payload, _ in pipeline.sent}) == 1


def test_a_near_duplicate_is_a_story_in_one_cluster(
    pipeline: Pipeline, site: Site, add_item: Callable[..., UUID], add_source: Callable[..., UUID]
) -> None:
    text = paragraphs("the release", 10)
    site.pages["/one"] = Answer(page("One", text))
    site.pages["/two"] = Answer(
        page("Two", text.replace("Paragraph 2 says", "An editor added that") + "<p>Our own end.</p>")
    )
    site.pages["/three"] = Answer(
        page("Three", "".join(f"<p>Nothing alike stands in sentence {n} of it.</p>" for n in range(20)))
    )
    other = add_source("https://b.example/feed")
    ids = [add_item(f"{site.url}/one"), add_item(f"{site.url}/two", other), add_item(f"{site.url}/three")]
    pipeline.run("fetch-content", raw_item_ids=ids)
    assert pipeline.outcomes() == {"stored": 3}
    clusters = dict(pipeline.query("SELECT title, cluster_id FROM stories"))
    assert clusters["One"] == clusters["Two"] is not None
    assert clusters["Three"] is None
    ((lead, metrics),) = pipeline.query(
        "SELECT s.title, c.metrics FROM story_clusters AS c JOIN stories AS s ON s.id = c.primary_story_id"
    )
    assert (lead, metrics) == ("One", {"stories": 2, "sources": 2})


@pytest.mark.parametrize("kinds", ["one address", "one text", "near duplicates"])
def test_workers_at_the_same_time_make_one_story_of_one_text(
    database: str,
    site: Site,
    engine: LocalEngine,
    pipeline: Pipeline,
    add_item: Callable[..., UUID],
    kinds: str,
) -> None:
    # Earlier version: two workers made two stories of one text.
    workers = 6
    for n in range(workers):
        words = {
            "one address": f"variant {n}",
            "one text": ("the text", "THE  text")[n % 2],
            "near duplicates": "the text",
        }[kinds]
        end = f"<p>Number {n} ends in its own way.</p>" if kinds == "near duplicates" else ""
        site.pages[f"/{n}?utm_source={n}"] = Answer(page("T", paragraphs(words, 12) + end))
        site.pages[f"/same?utm_source={n}"] = site.pages[f"/{n}?utm_source={n}"]
    path = "/same?utm_source={}" if kinds == "one address" else "/{0}?utm_source={0}"
    ids = [add_item(site.url + path.format(n)) for n in range(workers)]
    barrier = threading.Barrier(workers)
    failures: list[BaseException] = []

    def work(item: UUID) -> None:
        try:
            with closing(connect(database)) as conn:
                barrier.wait()
                Pipeline(conn, engine).run("fetch-content", raw_item_ids=[item])
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(item,)) for item in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    if kinds == "near duplicates":
        assert pipeline.outcomes() == {"stored": workers}
        assert pipeline.query("SELECT count(DISTINCT cluster_id), count(cluster_id) FROM stories") == [(1, workers)]
    else:
        assert pipeline.outcomes() == {"stored": 1, "duplicate": workers - 1}
        assert pipeline.query("SELECT count(*) FROM stories") == [(1,)]


@pytest.mark.parametrize("waits", [False, True])
def test_only_texts_that_are_alike_are_filed_one_after_another(
    database: str,
    site: Site,
    engine: LocalEngine,
    pipeline: Pipeline,
    add_item: Callable[..., UUID],
    monkeypatch: pytest.MonkeyPatch,
    waits: bool,
) -> None:
    site.pages["/first"] = Answer(page("First", paragraphs("the release", 12)))
    alike = paragraphs("the release", 12) + "<p>Our own end.</p>"
    unlike = "".join(f"<p>Nothing alike stands in sentence {n} of it.</p>" for n in range(20))
    site.pages["/second"] = Answer(page("Second", alike if waits else unlike))
    first, second = add_item(f"{site.url}/first"), add_item(f"{site.url}/second")

    def work() -> None:
        with closing(connect(database)) as conn, conn.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
            Pipeline(conn, engine).run("fetch-content", raw_item_ids=[second])

    errors: list[BaseException | None] = []
    send = FakeContext.send

    def file_the_other_one_first(ctx: FakeContext, *args: Any, **options: Any) -> Any:
        if not errors:  # the first text is filed, and not committed yet
            errors.append(None)
            with ThreadPoolExecutor(1) as pool:
                errors.append(pool.submit(work).exception(30))
        return send(ctx, *args, **options)

    monkeypatch.setattr(FakeContext, "send", file_the_other_one_first)
    pipeline.run("fetch-content", raw_item_ids=[first])
    assert isinstance(errors[1], LockNotAvailable) if waits else errors[1] is None


def test_a_story_that_is_read_again_waits_for_its_cluster_before_it_is_held(
    database: str, site: Site, engine: LocalEngine, pipeline: Pipeline, add_item: Callable[..., UUID]
) -> None:
    # Story first and then cluster, while an analysis takes cluster first and then story: each would wait for the other.
    text = paragraphs("the release", 10)
    site.pages["/one"] = Answer(page("One", text))
    site.pages["/two"] = Answer(page("Two", text + "<p>Our own end.</p>"))
    item = add_item(f"{site.url}/one", title="As it was")
    pipeline.run("fetch-content", raw_item_ids=[item, add_item(f"{site.url}/two")])
    site.pages["/one"] = Answer(page("One", text + "<p>One more sentence.</p>"))
    pipeline.query("UPDATE raw_items SET title = 'As it is now' WHERE id = %s", str(item))
    items.queue(pipeline.conn, [item])

    def work() -> None:
        with closing(connect(database)) as conn:
            Pipeline(conn, engine).run("fetch-content", raw_item_ids=[item])

    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        with closing(connect(database)) as analysis, transaction(analysis), analysis.cursor() as cursor:
            cursor.execute("SELECT FROM story_clusters FOR NO KEY UPDATE")
            filing = pool.submit(work)
            while not (pipeline.query(waiting) or filing.done()):
                time.sleep(0.01)
            cursor.execute("SELECT FROM stories FOR NO KEY UPDATE NOWAIT")
        filing.result(30)
    assert pipeline.outcomes() == {"updated": 1, "stored": 1}


def test_two_jobs_with_the_same_item_end_it_once(
    database: str, site: Site, engine: LocalEngine, pipeline: Pipeline, add_item: Callable[..., UUID]
) -> None:
    together = threading.Barrier(2)

    def answer(_: Asked) -> Answer:
        together.wait()
        return Answer(page("T", paragraphs("the text")))

    site.pages["/a"] = answer
    item = add_item(f"{site.url}/a")
    results: list[dict[str, Any]] = []
    sent: list[str] = []

    def work() -> None:
        with closing(connect(database)) as conn:
            worker = Pipeline(conn, engine)
            results.append(worker.run("fetch-content", raw_item_ids=[item])["outcomes"])
            sent.extend(worker.tasks_sent())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == ["{'ended_elsewhere': 1}", "{'stored': 1}"]
    assert sent == ["analyze-story"]


def requeue(pipeline: Pipeline, item: UUID) -> None:
    items.queue(pipeline.conn, [item])
    pipeline.sent.clear()
    pipeline.run("fetch-content", raw_item_ids=[item])


def test_a_story_follows_its_article_and_keeps_its_identity(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the first wording")))
    item = add_item(f"{site.url}/a")
    pipeline.run("fetch-content", raw_item_ids=[item])
    story = pipeline.query("SELECT id FROM stories")
    site.pages["/a"] = Answer(page("A", paragraphs("the second wording")))
    requeue(pipeline, item)
    assert pipeline.outcomes() == {"updated": 1}
    assert pipeline.query("SELECT id FROM stories") == story
    assert pipeline.query("SELECT text_body LIKE '%%second wording%%' FROM contents") == [(True,)]
    assert pipeline.query("SELECT revision FROM content_details") == [(2,)]
    assert pipeline.tasks_sent() == ["analyze-story"]


def test_a_title_that_a_person_edited_stays(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the first wording")))
    item = add_item(f"{site.url}/a", title="As the feed says")
    pipeline.run("fetch-content", raw_item_ids=[item])
    pipeline.query("UPDATE stories SET title = 'My own title'")
    requeue(pipeline, item)
    assert pipeline.outcomes() == {"stored": 1}, "nothing was edited"
    for wording in ("second", "third"):
        site.pages["/a"] = Answer(page("A", paragraphs(f"the {wording} wording")))
        pipeline.query("UPDATE raw_items SET title = %s", wording)
        requeue(pipeline, item)
        assert pipeline.outcomes() == {"updated": 1}
        assert pipeline.query("SELECT title FROM stories") == [("My own title",)]


def test_a_title_of_the_pipelines_own_follows_its_article(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the wording")))
    item = add_item(f"{site.url}/a", title="First")
    pipeline.run("fetch-content", raw_item_ids=[item])
    for title in ("Second", "Third"):
        pipeline.query("UPDATE raw_items SET title = %s", title)
        requeue(pipeline, item)
        assert pipeline.outcomes() == {"updated": 1}
        assert pipeline.query("SELECT title FROM stories") == [(title,)]


def test_an_article_edited_into_a_near_duplicate_joins_its_like(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the release", 10)))
    site.pages["/b"] = Answer(
        page("B", "".join(f"<p>Nothing alike stands in sentence {n} of it.</p>" for n in range(20)))
    )
    pipeline.run("fetch-content", raw_item_ids=[add_item(f"{site.url}/a")])
    item = add_item(f"{site.url}/b")
    pipeline.run("fetch-content", raw_item_ids=[item])
    assert pipeline.query("SELECT count(cluster_id) FROM stories") == [(0,)]
    site.pages["/b"] = Answer(page("B", paragraphs("the release", 10) + "<p>Our own end.</p>"))
    requeue(pipeline, item)
    assert pipeline.query("SELECT count(DISTINCT cluster_id), count(cluster_id) FROM stories") == [(1, 2)]


def test_an_article_that_reads_as_before_is_not_analysed_again(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the wording")))
    item = add_item(f"{site.url}/a")
    pipeline.run("fetch-content", raw_item_ids=[item])
    requeue(pipeline, item)
    assert pipeline.outcomes() == {"stored": 1}
    assert pipeline.sent == []


@pytest.mark.parametrize(("answer", "outcome"), [(Answer(status=410), "retracted"), (Answer(status=403), "stored")])
def test_a_story_that_its_source_took_back_is_recorded_as_retracted(
    pipeline: Pipeline, site: Site, add_item: Callable[..., UUID], answer: Answer, outcome: str
) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the wording")))
    item = add_item(f"{site.url}/a")
    pipeline.run("fetch-content", raw_item_ids=[item])
    site.pages["/a"] = answer
    requeue(pipeline, item)
    assert pipeline.outcomes() == {outcome: 1}
    assert pipeline.query("SELECT count(*) FROM stories") == [(1,)]
