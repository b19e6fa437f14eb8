import json
import socket
from typing import Any

import pytest

from actors.engine.client import HttpEngine
from actors.engine.contract import EngineError
from tests.actors.scripted_site import Answer, ScriptedSite

# As the product's Engine answers: neither text nor a list of items.
ITEM = {
    "id": "i1",
    "title": "T",
    "description": "D",
    "url": "https://a.example/1",
    "sourceType": "blog",
    "contentType": "article",
    "publishedAt": "2026-11-20T10:00:00.000Z",
    "metadata": {"k": 1},
    "author": {"id": "a", "name": "Ada"},
}
SOURCE = {
    "id": "s1",
    "name": "Feed",
    "description": "",
    "url": "https://a.example/feed",
    "sourceType": "rss",
    "metadata": {},
    "isActive": True,
    "lastChecked": "2026-11-20T10:00:00.000Z",
}


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(body), status, "application/json", headers)


@pytest.fixture
def engine(site: ScriptedSite) -> HttpEngine:
    return HttpEngine(site.url, token="s3cret", timeout=2)


@pytest.mark.parametrize("body", [{"data": ITEM}, ITEM])
def test_an_item_is_read_with_and_without_its_wrapper(site: ScriptedSite, engine: HttpEngine, body: Any) -> None:
    site.pages["/ingest"] = answer(body)
    item = engine.fetch_item("https://a.example/1")
    assert (item.id, item.text, item.author and item.author.name) == ("i1", None, "Ada")
    asked = site.asked[0]
    assert (asked.method, json.loads(asked.body)) == ("POST", {"url": "https://a.example/1"})
    assert asked.headers["authorization"] == "Bearer s3cret"


def test_a_source_without_items_says_that_it_has_no_list(site: ScriptedSite, engine: HttpEngine) -> None:
    site.pages["/source"] = answer({"data": SOURCE})
    assert engine.fetch_source("https://a.example/feed").items is None


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [
        (400, "invalid_url", False),
        (401, "engine_failed", False),
        (404, "not_found", False),
        (429, "engine_failed", True),
        (500, "engine_failed", True),
        (502, "engine_failed", True),
    ],
)
def test_an_error_of_the_products_engine_has_a_reason(
    site: ScriptedSite, engine: HttpEngine, status: int, code: str, transient: bool
) -> None:
    site.pages["/ingest"] = answer({"error": "in words"}, status, **{"Retry-After": "7"})
    with pytest.raises(EngineError, match="in words") as caught:
        engine.fetch_item("https://a.example/1")
    assert (caught.value.code, caught.value.transient) == (code, transient)


def test_an_error_of_ours_keeps_its_reason(site: ScriptedSite, engine: HttpEngine) -> None:
    body = {"error": "e", "code": "rate_limited", "transient": True, "retryAfter": 30}
    site.pages["/ingest"] = answer(body, 500)
    with pytest.raises(EngineError) as caught:
        engine.fetch_item("https://a.example/1")
    assert (caught.value.code, caught.value.transient, caught.value.retry_after) == ("rate_limited", True, 30)


@pytest.mark.parametrize(
    "body", [[], "text", {"data": {"title": "without an id"}}, {"data": {**ITEM, "sourceType": "fax"}}]
)
def test_an_answer_that_does_not_fit_the_contract_is_the_engines_fault(
    site: ScriptedSite, engine: HttpEngine, body: Any
) -> None:
    site.pages["/ingest"] = answer(body)
    with pytest.raises(EngineError) as caught:
        engine.fetch_item("https://a.example/1")
    assert (caught.value.code, caught.value.transient) == ("engine_failed", False)


def test_an_engine_that_does_not_answer_in_time_may_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpEngine(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)
        with pytest.raises(EngineError, match="took longer") as caught:
            client.fetch_item("https://a.example/1")
    assert caught.value.transient


@pytest.mark.parametrize(
    ("status", "body", "is_away"),
    [
        (503, {"error": "busy", "code": "engine_failed", "transient": True, "retryAfter": 1}, True),
        (503, {"error": "in words"}, True),
        (429, {"error": "in words"}, True),
        (401, {"error": "in words"}, True),
        (503, {"error": "the site says so", "code": "rate_limited"}, False),
        (500, {"error": "this page breaks it", "code": "engine_failed"}, False),
        (500, {"error": "in words"}, False),
        (502, {"error": "in words"}, False),
        (404, {"error": "in words"}, False),
    ],
)
def test_an_engine_that_turns_everybody_away_is_told_from_one_that_fails_at_one_page(
    site: ScriptedSite, engine: HttpEngine, status: int, body: dict[str, Any], is_away: bool
) -> None:
    site.pages["/ingest"] = answer(body, status)
    with pytest.raises(EngineError) as caught:
        engine.fetch_item("https://a.example/1")
    assert caught.value.is_away is is_away


def test_an_engine_that_finds_no_feeds_is_asked_for_the_feed_itself(site: ScriptedSite, engine: HttpEngine) -> None:
    item = {**ITEM, "id": "i1"}
    site.pages["/source"] = answer({"data": {**SOURCE, "items": [item]}})
    (found,) = engine.discover("a.example/feed").feeds
    assert (found.name, found.url, len(found.items or [])) == ("Feed", "https://a.example/feed", 1)
    assert [(asked.path, json.loads(asked.body)) for asked in site.asked] == [
        ("/discover", {"url": "a.example/feed"}),
        ("/source", {"url": "https://a.example/feed"}),
    ]
    site.pages["/source"] = answer({"data": SOURCE})
    with pytest.raises(EngineError, match="gives no list of a feed's items"):
        engine.discover("a.example/feed")
