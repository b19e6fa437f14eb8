from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import ValidationError

from actors.engine import Settings
from actors.engine.local import LocalEngine
from tests.actors.engine.conftest import failure
from tests.actors.scripted_site import Answer, Site, page, paragraphs, rss

ONE = rss(("g", "t", "https://a.example/1"))


def test_a_page_is_fetched_and_read(site: Site, engine: LocalEngine) -> None:
    site.pages["/old"] = Answer(status=302, headers={"Location": "/a"})
    site.pages["/a"] = Answer(page("A", paragraphs("the queue")))
    item = engine.fetch_item(f"{site.url}/old")
    assert (item.url, item.title, item.content_type) == (f"{site.url}/a", "A", "article")
    assert "Paragraph 1 says" in (item.text or "")
    assert item.content_hash is not None
    assert "https://news.example/bot" in site.asked[0].headers["user-agent"]


def test_a_304_to_an_unconditional_request_and_too_large_a_page_are_none(site: Site, engine: LocalEngine) -> None:
    site.pages |= {"/a": Answer(status=304), "/b": Answer(page("A", "<p>x</p>" * 60_000))}
    assert failure(engine.fetch_item, f"{site.url}/a").code == "fetch_failed"
    assert failure(engine.fetch_item, f"{site.url}/b").code == "too_large"


@pytest.mark.parametrize(
    ("headers", "extra", "seconds"),
    [
        ({}, "", None), ({"Cache-Control": "public, max-age=600"}, "", 600), ({"Cache-Control": "no-cache"}, "", None),
        ({"Expires": "0"}, "", None), ({"Expires": "Sun, 01 Nov 1998 10:00:00 GMT"}, "", None), ({}, "<ttl>30</ttl>", 1800),
        ({"Cache-Control": "max-age=600"}, "<ttl>30</ttl>", 1800), ({"Cache-Control": "max-age=99999999999"}, "", None),
        ({"Expires": "in three hours"}, "", 10_800), ({"Cache-Control": "max-age=600", "Expires": "in three hours"}, "", 600),
    ],
)  # fmt: skip
def test_the_servers_wish_is_the_longest_that_it_names(
    site: Site, engine: LocalEngine, headers: dict[str, str], extra: str, seconds: int | None
) -> None:
    if "in three hours" in headers.values():
        headers = {**headers, "Expires": format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)}
    site.pages["/feed"] = Answer(ONE.replace("<description>", f"{extra}<description>", 1), headers=headers)
    wish = engine.fetch_source(f"{site.url}/feed").next_check_at
    if seconds is None:
        assert wish is None or wish > datetime.now(UTC) + timedelta(days=29)
    else:
        assert wish is not None
        assert (wish - datetime.now(UTC)).total_seconds() == pytest.approx(seconds, abs=5)


@pytest.mark.parametrize("kind", ["application/rss+xml", "text/xml", "text/html", "application/octet-stream", ""])
def test_a_feed_is_read_whatever_text_it_is_served_as(site: Site, engine: LocalEngine, kind: str) -> None:
    site.pages["/feed"] = Answer(ONE, content_type=kind)
    assert len(engine.fetch_source(f"{site.url}/feed").items or []) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "http"}, {"kind": "ftp"}, {"alow_networks": []}, {"page_timeout": 5}, {"allow_networks": ["loopback"]}],
)
def test_wrong_settings_are_refused_and_a_token_is_not_shown(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
    assert "s3cret" not in repr(Settings(token="s3cret"))
