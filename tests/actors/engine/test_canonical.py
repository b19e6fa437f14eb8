import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engine.canonical import canonical_url, site_of
from actors.engine.contract import EngineError
from actors.engine.fetch import parse

SAME = [
    "https://example.org/news/a-title?id=7",
    "http://example.org/news/a-title?id=7",
    "https://www.example.org/news/a-title/?id=7",
    "https://m.example.org/news/a-title?id=7#comments",
    "https://EXAMPLE.org:443/news//a-title?utm_source=rss&id=7&fbclid=x",
    "https://amp.example.org/news/a-title/amp/?id=7",
    "https://www.google.com/amp/s/example.org/news/a-title?id=7",
    "https://example-org.cdn.ampproject.org/c/s/example.org/news/a-title?id=7",
]


OTHERS = [
    "https://example.org/news/a-title?id=8",
    "https://example.org/news/A-title?id=7",
    "https://other.example.org/news/a-title?id=7",
    "https://example.org:8080/news/a-title?id=7",
    "https://example.org/news/a-title",
    "https://example.org/amplifier?id=7",
]


@pytest.mark.parametrize("url", SAME + OTHERS)
def test_links_to_one_page_have_one_canonical_address_in_any_order_of_its_parameters(url: str) -> None:
    assert (canonical_url(url) == SAME[0]) is (url in SAME)
    assert canonical_url("https://a.org/?b=2&a=1") == canonical_url("https://a.org/?a=1&b=2")


def test_a_domain_that_is_called_like_a_mobile_host_keeps_its_name() -> None:
    assert site_of("https://m.com/x") == "m.com"
    assert site_of("https://www.amp.dev/x") == "amp.dev"


@pytest.mark.parametrize("text", ["", "no address", "mailto:a@b.c", "http://[broken", "http://a:port/"])
def test_what_is_no_address_is_returned_as_it_is(text: str) -> None:
    assert canonical_url(text) == text


PIECES = st.text(st.sampled_from("aZ9./?&=%#-_~ü→@:+ "), max_size=30)


@given(PIECES, PIECES, st.sampled_from(["http://", "https://www.", "https://m.", "https://amp.", "HTTP://"]))
def test_a_canonical_address_is_its_own_canonical_address(host: str, rest: str, scheme: str) -> None:
    once = canonical_url(f"{scheme}a{host}.example.org/{rest}")
    assert canonical_url(once) == once


def test_a_name_that_the_dns_cannot_have_is_no_host() -> None:
    url = f"https://{'a' * 3_000}.example/x"
    assert site_of(url) == ""
    with pytest.raises(EngineError, match="expected an http"):
        parse(url)
    assert site_of(str(parse("https://a.example/x"))) == "a.example"
