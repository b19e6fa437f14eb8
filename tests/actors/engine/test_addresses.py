from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given, strategies as st

from actors.engine.canonical import canonical_url, site_of
from actors.engine.connect import refusal
from actors.engine.contract import EngineError
from actors.engine.fetch import parse

PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::7f00:1", "::808:808", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:db8::1",
    "3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808",
    "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE + PUBLIC)
def test_only_what_is_public_is_not_refused(address: str) -> None:
    assert (refusal(address) is None) is (address in PUBLIC)


@given(st.sampled_from([IPv4Address(text) for text in PRIVATE if ":" not in text]))
def test_an_address_that_carries_a_private_one_is_refused(inner: IPv4Address) -> None:
    low, teredo = int(inner), int(IPv6Address("2001::")) | (int(inner) ^ 0xFFFFFFFF)
    for carrier in (0xFFFF << 32 | low, int(IPv6Address("64:ff9b::")) | low, 0x2002 << 112 | low << 80, teredo):
        assert refusal(str(IPv6Address(carrier))) is not None


def test_a_network_that_is_allowed_by_name_is_not_refused_and_a_refusal_names_the_address() -> None:
    allowed = [ip_network("127.0.0.0/8")]
    for address, is_allowed in (("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False), ("::1", False)):
        assert (refusal(address, allowed) is None) is is_allowed
    assert refusal("2002:7f00:1::") == (
        "2002:7f00:1:: carries 127.0.0.1 is not a public address; "
        "services.engine.allow_networks: [127.0.0.0/8] in jobs.yaml would allow it"
    )
    assert "[fec0::1/128]" in str(refusal("fec0::1"))


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


@pytest.mark.parametrize("text", ["", "no address", "mailto:a@b.c", "http://[broken", "http://a:port/"])
def test_what_is_no_address_is_returned_as_it_is(text: str) -> None:
    assert canonical_url(text) == text


PIECES = st.text(st.sampled_from("aZ9./?&=%#-_~ü→@:+ "), max_size=30)


@given(PIECES, PIECES, st.sampled_from(["http://", "https://www.", "https://m.", "https://amp.", "HTTP://"]))
def test_a_canonical_address_is_its_own_canonical_address(host: str, rest: str, scheme: str) -> None:
    once = canonical_url(f"{scheme}a{host}.example.org/{rest}")
    assert canonical_url(once) == once


def test_a_domain_that_is_called_like_a_mobile_host_keeps_its_name_and_one_that_the_dns_cannot_have_is_none() -> None:
    url = f"https://{'a' * 3_000}.example/x"
    for text, site in (("https://m.com/x", "m.com"), ("https://www.amp.dev/x", "amp.dev"), (url, "")):
        assert site_of(text) == site
    with pytest.raises(EngineError, match="expected an http"):
        parse(url)
    assert site_of(str(parse("https://a.example/x"))) == "a.example"
