"""Any answer of a foreign server or an Engine ends in a value or a stated reason, in limited time."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from actors.engine.client import HttpEngine
from actors.engine.contract import ContentItem, ContentSource, EngineError
from actors.engine.local import LocalEngine
from tests.actors.engine.test_http_engine import ITEM, SOURCE
from tests.actors.scripted_site import Answer, Site

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.dictionaries(
    st.sampled_from([*ITEM, *SOURCE, "items", "text", "data", "error", "code"]), VALUES, max_size=6
)
STATUSES = st.sampled_from([200, 201, 204, 301, 304, 400, 401, 404, 429, 500, 503])
relaxed = settings(
    max_examples=500 if os.environ.get("ZEKE_TEST_DEEP") else 30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


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


@relaxed
@given(changes=FIELDS, status=STATUSES, wrapped=st.booleans())
@example(changes={"publishedAt": "9999-99-99T99:99:99Z"}, status=200, wrapped=True)
@example(changes={"items": [{}] * 5, "code": "\0", "retryAfter": 1e400}, status=500, wrapped=False)
def test_any_engine_answer_of_the_right_shape_and_wrong_content(
    answering: Site, asking: HttpEngine, changes: dict[str, Any], status: int, wrapped: bool
) -> None:
    for path, base in (("/ingest", ITEM), ("/source", SOURCE)):
        body = {**base, **changes}
        answering.pages[path] = Answer(json.dumps({"data": body} if wrapped else body), status, "application/json")
    ends_well(asking)


@relaxed
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


@relaxed
@given(st.lists(TAGS | st.text(max_size=10), max_size=60).map("".join))
@example("<b>" * 30_000)
@example("<a href='" + "x" * 200_000)
@example(
    "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><rss><channel><title>&c;</title></channel></rss>"
)
@example(
    "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><rss><channel><item><title>&a;</title></item></channel></rss>"
)
def test_any_markup_as_page_and_as_feed(answering: Site, engine: LocalEngine, markup: str) -> None:
    answering.pages["/x"] = Answer(markup.encode("utf-8", "replace"))
    for ask in (engine.fetch_item, engine.fetch_source):
        began = time.monotonic()
        try:
            text = ask(f"{answering.url}/x").model_dump_json()
        except EngineError as error:
            text = str(error)
        assert "root:" not in text
        assert time.monotonic() - began < 20
