import json
import socket
from typing import Any

import pytest

from actors.engine.client import HttpEngine
from actors.engine.contract import EngineError
from tests.actors.engine.conftest import failure
from tests.actors.scripted_site import Answer, Site

# As the product's Engine answers: neither text nor a list of items.
ITEM = {
    "id": "i1", "title": "T", "description": "D", "url": "https://a.example/1", "sourceType": "blog", "contentType": "article",
    "publishedAt": "2026-11-20T10:00:00.000Z", "metadata": {"k": 1}, "author": {"id": "a", "name": "Ada"},
}  # fmt: skip
SOURCE = {
    "id": "s1", "name": "Feed", "description": "", "url": "https://a.example/feed", "sourceType": "rss", "metadata": {},
    "isActive": True, "lastChecked": "2026-11-20T10:00:00.000Z",
}  # fmt: skip


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(body), status, "application/json", headers)


@pytest.fixture
def engine(site: Site) -> HttpEngine:
    return HttpEngine(site.url, token="s3cret", timeout=2)


@pytest.mark.parametrize("body", [{"data": ITEM}, ITEM])
def test_an_item_is_read_with_and_without_its_wrapper(site: Site, engine: HttpEngine, body: Any) -> None:
    site.pages["/ingest"] = answer(body)
    item = engine.fetch_item("https://a.example/1")
    assert (item.id, item.text, item.author and item.author.name) == ("i1", None, "Ada")
    asked = site.asked[0]
    assert (asked.method, json.loads(asked.body)) == ("POST", {"url": "https://a.example/1"})
    assert asked.headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("status", "said", "code", "transient", "is_away"),
    [
        (400, {}, "invalid_url", False, False),
        (401, {}, "engine_failed", False, True),
        (404, {}, "not_found", False, False),
        (429, {}, "engine_failed", True, True),
        (500, {}, "engine_failed", True, False),
        (502, {}, "engine_failed", True, False),
        (503, {}, "engine_failed", True, True),
        (503, {"code": "engine_failed", "transient": True, "retryAfter": 1}, "engine_failed", True, True),
        (503, {"code": "rate_limited"}, "rate_limited", True, False),
        (500, {"code": "engine_failed"}, "engine_failed", True, False),
    ],
)
def test_an_error_has_a_reason_and_tells_an_engine_that_is_away_from_one_that_fails_at_one_page(
    site: Site, engine: HttpEngine, status: int, said: dict[str, Any], code: str, transient: bool, is_away: bool
) -> None:
    site.pages["/ingest"] = answer({"error": "in words", **said}, status, **{"Retry-After": "7"})
    error = failure(engine.fetch_item, "https://a.example/1")
    assert (error.code, error.transient, error.is_away) == (code, transient, is_away)
    assert "in words" in str(error)


@pytest.mark.parametrize(
    "body", [[], "text", {"data": {"title": "without an id"}}, {"data": {**ITEM, "sourceType": "fax"}}]
)
def test_an_answer_outside_the_contract_is_the_engines_fault(site: Site, engine: HttpEngine, body: Any) -> None:
    site.pages["/ingest"] = answer(body)
    error = failure(engine.fetch_item, "https://a.example/1")
    assert (error.code, error.transient) == ("engine_failed", False)


def test_an_engine_that_does_not_answer_in_time_may_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpEngine(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)
        with pytest.raises(EngineError, match="took longer") as caught:
            client.fetch_item("https://a.example/1")
    assert caught.value.transient


def test_an_engine_that_finds_no_feeds_is_asked_for_the_feed_itself(site: Site, engine: HttpEngine) -> None:
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
