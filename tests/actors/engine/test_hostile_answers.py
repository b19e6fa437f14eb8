"""Any answer of a hostile server or Engine becomes a value of limited size, or an error with a reason, in limited time."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from actors.engine.client import HttpEngine
from actors.engine.contract import ContentItem, ContentSource, EngineError
from actors.engine.feeds import read_feed
from actors.engine.fetch import parse
from actors.engine.local import LocalEngine
from actors.engine.pages import read_page
from tests.actors.engine.conftest import entry, failure
from tests.actors.engine.test_http_engine import ITEM, SOURCE
from tests.actors.hostile import VALUES, relaxed
from tests.actors.scripted_site import Answer, Site, as_json, rss

NAMES = st.sampled_from([*ITEM, *SOURCE, "items", "text", "data", "error", "code"])
FIELDS = st.dictionaries(NAMES, VALUES, max_size=6)
STATUSES = st.sampled_from([200, 201, 204, 301, 304, 400, 401, 404, 429, 500, 503])


@pytest.fixture(scope="module")
def answering() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture(scope="module")
def asking(answering: Site) -> HttpEngine:
    return HttpEngine(answering.url, timeout=5)


def ends_well(engine: HttpEngine) -> None:
    for ask, kind in ((engine.fetch_item, ContentItem), (engine.fetch_source, ContentSource)):
        found: object
        try:
            found = ask("https://a.example/1")
        except EngineError as error:
            found = error
        assert isinstance(found, kind | EngineError)
        assert not isinstance(found, EngineError) or len(str(found)) < 2_000


@relaxed(30)
@given(changes=FIELDS, status=STATUSES, wrapped=st.booleans())
@example(changes={"publishedAt": "9999-99-99T99:99:99Z"}, status=200, wrapped=True)
@example(changes={"items": [{}] * 5, "code": "\0", "retryAfter": 1e400}, status=500, wrapped=False)
def test_any_answer_of_an_engine(
    answering: Site, asking: HttpEngine, changes: dict[str, Any], status: int, wrapped: bool
) -> None:
    for path, base in (("/ingest", ITEM), ("/source", SOURCE)):
        body = {**base, **changes}
        answering.pages[path] = as_json({"data": body} if wrapped else body, status)
    ends_well(asking)


@relaxed(30)
@given(body=st.binary(max_size=300), status=STATUSES, kind=st.sampled_from(["application/json", "text/html", ""]))
@example(body=b"[" * 100_000, status=200, kind="application/json")
@example(body=b'{"data": ' * 50_000, status=200, kind="application/json")
@example(body=b"1" * 10_000, status=200, kind="application/json")
def test_any_bytes_of_an_engine(answering: Site, asking: HttpEngine, body: bytes, status: int, kind: str) -> None:
    answering.pages["/ingest"] = answering.pages["/source"] = Answer(body, status, kind)
    ends_well(asking)


TAGS = st.sampled_from(
    "<p> </p> <div> <table><tr><td> <a_href='x'> <svg> <math> <script> <!-- --> <![CDATA[ ]]> &#0; &lt; <title> <item> <rss> <link> <entry>"
    " <meta_charset='x'> <base_href='//y'> <iframe_srcdoc='&lt;p>'> \0 \ud7ff".replace("_", " ").split(" ")
)


def encoded(pieces: list[str]) -> bytes:
    return "".join(pieces).encode("utf-8", "replace")


@relaxed(30)
@given(st.lists(TAGS | st.text(max_size=10), max_size=60).map(encoded) | st.binary(max_size=300))
@example(b"<b>" * 30_000)
@example(b"<div>" * 20_000 + b"deep" + b"</div>" * 20_000)
@example(b"<a href='" + b"x" * 200_000)
@example(
    b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]><rss><channel><title>&b;</title></channel></rss>"
)
@example(b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><rss><channel><title>&a;</title></channel></rss>")
def test_any_bytes_as_page_and_as_feed(answering: Site, engine: LocalEngine, body: bytes) -> None:
    answering.pages["/x"] = Answer(body)
    for ask in (engine.fetch_item, engine.fetch_source):
        began = time.monotonic()
        try:
            text = ask(f"{answering.url}/x").model_dump_json()
        except EngineError as error:
            text = str(error)
        assert "root:" not in text
        assert time.monotonic() - began < 20


LONG = "x" * 2_000_000
TEXTS = ("id", "title", "description", "url", "text", "markdown", "language", "contentHash", "canonicalUrl")
ADDRESS = "https://a.example/" + "x" * 9_000


def test_an_engine_says_no_more_than_is_kept() -> None:
    author = {"id": LONG, "name": LONG, "url": ADDRESS}
    said = {**dict.fromkeys(TEXTS, LONG), "url": ADDRESS, "canonicalUrl": ADDRESS, "author": author}
    item = ContentItem.model_validate({**said, "metadata": {"a": LONG}})
    assert item.author is not None
    assert (item.url, item.canonical_url, item.author.url, item.metadata) == ("", None, None, {})
    lengths = [item.id, item.title, item.author.name, item.author.id, item.language or "", item.content_hash or ""]
    assert all(len(text) <= 500 for text in lengths)
    assert (len(item.description), len(item.text or ""), len(item.markdown or "")) == (200_000, 1_000_000, 1_000_000)
    said = {**dict.fromkeys(("name", "description", "etag", "lastModified"), LONG), "url": ADDRESS, "movedTo": ADDRESS}
    source = ContentSource.model_validate({"id": "s", **said, "metadata": {"a": LONG}})
    assert (source.url, source.metadata) == ("", {})
    assert {source.etag, source.last_modified, source.moved_to} == {None}
    assert (len(source.name), len(source.description)) == (500, 200_000)
    assert len(str(EngineError("no_text", LONG))) == 1000


def test_what_no_database_stores_is_dropped_wherever_an_engine_says_it_and_so_is_such_metadata() -> None:
    odd = "a\x00\ud800b"
    author = {"id": odd, "name": odd, "url": odd}
    said = {**dict.fromkeys(TEXTS, odd), "author": author, "metadata": {odd: [{odd: odd}, 1]}}
    item = ContentItem.model_validate(said)
    assert "\\u0000" not in item.model_dump_json()
    assert item.metadata == {"ab": [{"ab": "ab"}, 1]}
    source = ContentSource.model_validate({"id": odd, "name": odd, "etag": odd, "lastModified": odd, "movedTo": odd})
    assert {source.id, source.name, source.etag, source.last_modified, source.moved_to} == {"ab"}
    deep: dict[str, Any] = {}
    for _ in range(50_000):
        deep = {"a": deep}
    for given_, kept in ((deep, {}), ({"a": float("nan")}, {}), ({"a": [1, {"b": "c"}]}, {"a": [1, {"b": "c"}]})):
        assert ContentItem(id="i", metadata=given_).metadata == kept


def test_tags_items_addresses_articles_and_headers_have_an_end(site: Site, engine: LocalEngine) -> None:
    body = rss(*((str(n), f"t{n}", f"https://a.example/{n}") for n in range(50)))
    assert len(read_feed(body.encode(), "https://a.example/", max_entries=20).items or []) == 20
    told = entry("".join(f"<category>c{n}</category>" for n in range(30)))
    assert told.metadata["tags"] == [f"c{n}" for n in range(20)]
    site.pages["/source"] = as_json({"id": "s", "items": [{"id": str(n), "title": "t"} for n in range(50)]})
    source = HttpEngine(site.url, max_entries=20).fetch_source("https://a.example/")
    assert [item.id for item in source.items or []] == [str(n) for n in range(20)]
    with pytest.raises(EngineError, match="9018 characters") as caught:
        parse(ADDRESS)
    assert (caught.value.code, len(str(caught.value)) < 500) == ("invalid_url", True)
    site.pages["/a"] = Answer(status=302, headers={"Location": ADDRESS})
    assert failure(engine.fetch_item, f"{site.url}/a").code == "invalid_url"
    text = read_page(("A word. " * 300_000).encode(), "https://a.example/", "text/plain").text
    assert len(text or "") == 1_000_000
    headers = {"ETag": f'"{LONG[:5_000]}"', "Last-Modified": LONG[:5_000]}
    site.pages["/feed"] = Answer(rss(("g", "t", "https://a.example/1")), headers=headers)
    source = engine.fetch_source(f"{site.url}/feed")
    assert (source.etag, source.last_modified) == (None, None)
