"""A client and a server speak the Engine's HTTP protocol."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from actors.engine.__main__ import main
from actors.engine.client import HttpEngine
from actors.engine.contract import ContentItem, EngineError, Finder
from actors.engine.local import LocalEngine
from actors.engine.server import EngineServer
from tests.actors.engine.conftest import failure
from tests.actors.scripted_site import Answer, Site, as_json, page, paragraphs, rss
from tests.each import cases

# ITEM and SOURCE are as the product's Engine sends them: an item has no text, and a source no list of items.
ITEM = {
    "id": "i1", "title": "T", "description": "D", "url": "https://a.example/1", "sourceType": "blog", "contentType": "article",
    "publishedAt": "2026-11-20T10:00:00.000Z", "metadata": {"k": 1}, "author": {"id": "a", "name": "Ada"},
}  # fmt: skip
SOURCE = {
    "id": "s1", "name": "Feed", "description": "", "url": "https://a.example/feed", "sourceType": "rss", "metadata": {},
    "isActive": True, "lastChecked": "2026-11-20T10:00:00.000Z",
}  # fmt: skip


@pytest.fixture
def client(site: Site) -> HttpEngine:
    return HttpEngine(site.url, token="s3cret", timeout=2)


@pytest.mark.parametrize("body", [{"data": ITEM}, ITEM])
def test_an_item_is_read_with_and_without_its_wrapper(site: Site, client: HttpEngine, body: Any) -> None:
    site.pages["/ingest"] = as_json(body)
    item = client.fetch_item("https://a.example/1")
    assert (item.id, item.text, item.author and item.author.name) == ("i1", None, "Ada")
    asked = site.asked[0]
    assert (asked.method, json.loads(asked.body)) == ("POST", {"url": "https://a.example/1"})
    assert asked.headers["authorization"] == "Bearer s3cret"
    answers: list[Any] = [[], "text", {"data": {"title": "without an id"}}, {"data": {**ITEM, "sourceType": "fax"}}]
    for odd in answers:
        site.pages["/ingest"] = as_json(odd)
        error = failure(client.fetch_item, "https://a.example/1")
        assert (error.code, error.transient) == ("engine_failed", False)


@cases(
    "status said code transient is_away",
    (400, {}, "invalid_url", False, False),
    (401, {}, "engine_failed", False, True),
    (404, {}, "not_found", False, False),
    (429, {}, "engine_failed", True, True),
    (500, {}, "engine_failed", True, False),
    (503, {}, "engine_failed", True, True),
    (503, {"code": "engine_failed", "transient": True, "retryAfter": 1}, "engine_failed", True, True),
    (503, {"code": "rate_limited"}, "rate_limited", True, False),
)
def test_an_error_has_a_reason_and_tells_an_engine_that_is_away_from_one_that_fails_at_one_page(
    site: Site, client: HttpEngine, status: int, said: dict[str, Any], code: str, transient: bool, is_away: bool
) -> None:
    site.pages["/ingest"] = as_json({"error": "in words", **said}, status, **{"Retry-After": "7"})
    error = failure(client.fetch_item, "https://a.example/1")
    assert (error.code, error.transient, error.is_away) == (code, transient, is_away)
    assert "in words" in str(error)


def test_an_engine_that_does_not_answer_in_time_may_come_back_and_one_at_work_asks_to_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpEngine(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)
        error = failure(client.fetch_item, "https://a.example/1")
    assert ("took longer" in str(error), error.transient) == (True, True)
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        def fetch_item(self, url: str) -> ContentItem:
            entered.set()
            leave.wait(10)
            return ContentItem(id=url)

    with serving(Slow(), most=1) as url:  # type: ignore[arg-type]
        client = HttpEngine(url)
        first = threading.Thread(target=client.fetch_item, args=("https://a.example/",))
        first.start()
        entered.wait(10)
        error = failure(client.fetch_item, "https://a.example/")
        leave.set()
        first.join()
        assert client.fetch_item("https://a.example/").id == "https://a.example/"
    assert (error.transient, error.retry_after) == (True, 1)


def test_an_engine_that_finds_no_feeds_is_asked_for_the_feed_itself(site: Site, client: HttpEngine) -> None:
    site.pages["/source"] = as_json({"data": {**SOURCE, "items": [ITEM]}})
    (found,) = client.discover("a.example/feed").feeds
    assert (found.name, found.url, len(found.items or [])) == ("Feed", "https://a.example/feed", 1)
    assert [(asked.path, json.loads(asked.body)) for asked in site.asked] == [
        ("/discover", {"url": "a.example/feed"}),
        ("/source", {"url": "https://a.example/feed"}),
    ]
    site.pages["/source"] = as_json({"data": SOURCE})
    with pytest.raises(EngineError, match="gives no list of a feed's items"):
        client.discover("a.example/feed")


@contextmanager
def serving(engine: Finder, **options: Any) -> Iterator[str]:
    with EngineServer(engine, port=0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_items_feeds_sources_and_failures_come_through_whole(site: Site, engine: LocalEngine) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the queue") + "<pre>x = 1</pre>"))
    site.pages["/"] = Answer(page("A", "x", '<link rel="alternate" type="application/rss+xml" href="/feed">'))
    site.pages["/feed"] = Answer(rss(("g", "t", "https://a.example/1")), headers={"ETag": '"1"'})
    site.pages["/429"] = Answer(status=429, headers={"Retry-After": "9"})
    site.pages["/302"] = Answer(status=302, headers={"Location": "http://10.0.0.1/"})
    with serving(engine, token="s3cret") as url:
        remote = HttpEngine(url, token="s3cret")
        assert remote.fetch_item(f"{site.url}/a") == engine.fetch_item(f"{site.url}/a")
        near = engine.fetch_source(f"{site.url}/feed")
        far, (found,) = remote.fetch_source(f"{site.url}/feed"), remote.discover(f"{site.url}/").feeds
        assert (far.items, far.etag) == (near.items, '"1"')
        assert (found.url, found.name, found.items) == (f"{site.url}/feed", "A feed", near.items)
        remote.fetch_source(f"{site.url}/feed", '"1"')
        assert site.asked[-1].headers["if-none-match"] == '"1"'
        assert failure(remote.discover, f"{site.url}/nothing").code == "not_found"
        for path in ("404", "429", "302"):
            ours, theirs = (failure(one.fetch_item, f"{site.url}/{path}") for one in (engine, remote))
            assert (theirs.code, theirs.transient, theirs.retry_after) == (ours.code, ours.transient, ours.retry_after)
            assert str(theirs) == str(ours)


def test_what_is_no_request_is_refused_and_health_has_the_shape_of_the_contract(engine: LocalEngine) -> None:
    with serving(engine) as url, httpx.Client(base_url=url, trust_env=False) as caller:
        for body in (b"", b"[]", b"{", b'{"url": 5}', b"[" * 50_000, b"x" * 70_000):
            answer = caller.post("/ingest", content=body)
            assert (answer.status_code, "expected" in answer.json()["error"]) == (400, True), body[:9]
        assert caller.get("/").status_code == 404
        assert caller.post("/other", json={"url": "x"}).status_code == 404
        assert caller.post("/source", json={"url": "http://10.0.0.1/"}).status_code == 500
        assert caller.get("/health").json() == {"status": "ok", "providers": {"local": {"status": "ok"}}}
    with serving(engine, token="s3cret") as url:
        for token in (None, "wrong"):
            with pytest.raises(EngineError, match="bearer token"):
                HttpEngine(url, token=token).fetch_item("https://a.example/")


def test_the_command_serves_and_refuses_wrong_settings(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the queue")))
    settings = '{"allow_networks": ["127.0.0.0/8"]}'
    command = [sys.executable, "-m", "actors.engine", "--port", "0", "--settings", settings]
    environment = {**os.environ, "ENGINE_TOKEN": "s3cret"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("engine: ").strip()
        assert HttpEngine(url, token="s3cret").fetch_item(f"{site.url}/a").title == "A"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert main(["--settings", '{"page_timout": "1s"}']) == 2
    assert "error: --settings: page_timout" in capsys.readouterr().err
