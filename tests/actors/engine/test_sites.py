"""A site's rule may name another Engine, and selectors that find the text. Its secrets go only to the rule's host."""

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from actors.engine import Settings
from actors.engine.contract import EngineError, Finder
from actors.engine.pages import parse_page
from actors.engine.selectors import select
from actors.engine.settings import NONE, rule_of
from tests.actors.engine.conftest import failure
from tests.actors.engine.test_http_engine import serving
from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.each import cases

SECRET = "s3cret-of-the-reader"
PAGE = parse_page(
    "<body><main id=m><article class='a b'><h2 class=t><a href=/x>X</a></h2><p data-k=v1>P</p>"
    "<div class=md:flex><p>q</p></div></article><article><h2>N</h2></article></main></body>"
)


def place(site: Site) -> str:
    return site.url.removeprefix("http://")


def opened(sites: dict[str, Any], **settings: Any) -> Finder:
    return Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "sites": sites, **settings}).open()


def test_secrets_go_to_the_host_of_their_rule_and_to_no_other_after_a_redirect(site: Site) -> None:
    rule = {"headers": {"X-Key": SECRET}, "cookies": {"a": SECRET, "b": "2"}}
    with Site() as other:
        site.pages["/away"] = Answer(status=302, headers={"Location": f"{other.url}/over"})
        site.pages["/back"] = Answer(page("A", paragraphs("the key")))
        other.pages["/over"] = Answer(status=302, headers={"Location": f"{site.url}/back"})
        engine = opened({place(site): rule})
        assert engine.fetch_item(f"{site.url}/away").title == "A"
        sent = [(one.path, one.headers.get("x-key"), one.headers.get("cookie")) for one in (*site.asked, *other.asked)]
    assert sent == [(path, SECRET, f"a={SECRET}; b=2") for path in ("/away", "/back")] + [("/over", None, None)]
    assert SECRET not in str(failure(engine.fetch_item, f"{site.url}/nothing"))


@cases(
    "url rule",
    ("https://a.example/", "a.example"), ("https://www.a.example./x", "a.example"),
    ("http://a.example:8080/", "a.example:8080"), ("https://a.example:8443/", ""), ("https://b.a.example/", "*.a.example"),
    ("https://c.b.a.example/", "*.b.a.example"), ("https://xa.example/", ""), ("https://ä.example/", "xn--4ca.example"),
    ("https://a.example@evil.example/", ""), ("https://a.example.evil.example/", ""), ("imap://a.example/", "a.example"),
    ("no address", ""), ("http://[::1/", ""),
)  # fmt: skip
def test_the_rule_that_names_most_of_the_host_counts(url: str, rule: str) -> None:
    names = ("a.example", "a.example:8080", "*.a.example", "*.b.a.example", "ä.example")
    assert Settings.model_validate({"sites": {name: {} for name in names}}).rule_for(url)[0] == rule


def test_secrets_go_by_https_or_to_the_port_that_the_rule_names() -> None:
    rule = {"cookies": {"a": SECRET}}
    sent = Settings.model_validate({"sites": {"a.example": rule, "*.b.example:80": rule}}).credentials
    good, others = ["https://a.example/", "http://x.b.example/"], ["http://a.example/", "https://sub.a.example/"]
    assert [url for url in (*good, *others, "https://a.example:444/") if sent(httpx.URL(url))] == good


@cases(
    "sites words",
    ({"https://a.example": {}}, "expected a host in small letters"), ({"www.a.example": {}}, "www. is the same"),
    ({"a.example": {"headers": {"User-Agent": "x"}}}, "a header that the Engine does not set itself, got 'User-Agent'"),
    ({"a.example": {"headers": {"cookie": "x"}}}, "got 'cookie'; see cookies"),
    ({"a.example": {"headers": {"X": f"{SECRET}\r\nHost: b"}}}, "printable ASCII"),
    ({"a.example": {"cookies": {"x y": SECRET}}}, "String should match pattern"),
    ({"a.example": {"text": "p::first-line"}}, "expected a CSS selector"),
    ({"a.example": {"pause": "1s", "at_once": 2}}, "either a pause or more than one request"),
    ({"a.example": {"text": "p", "engine": {"kind": "http", "url": "http://b"}}}, "kind local for text of a.example"),
)  # fmt: skip
def test_a_rule_that_cannot_hold_is_refused_without_its_secrets(sites: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"sites": sites})
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(Settings.model_validate({"sites": {"a.example": {"cookies": {"a": SECRET}}}}))


@cases(
    "selector found",
    ("article h2 a", ["a"]), ("article > h2", ["h2", "h2"]), ("#m .a.b", ["article"]), ("h2 + p", ["p"]),
    ("h2 ~ div", ["div"]), ("p[data-k^=v]", ["p"]), ("p[data-k$='1'], h2.t", ["h2", "p"]), ("[data-k*='']", []),
    (".md\\:flex p", ["p"]), ("article:not(.a) h2", ["h2"]), ("article:nth-child(2)", ["article"]), ("body *", ["main"]),
    ("p:first-child", ["p"]), ("ARTICLE:last-child", ["article"]), ("[class~=b]", ["article"]), (".none", []),
    ("h2,\n p", ["h2", "p", "p", "h2"]), ('[data-k="]"]', []),
)  # fmt: skip
def test_a_selector_finds_what_a_browser_finds(selector: str, found: list[str]) -> None:
    assert [one.tag for one in select(PAGE, selector)] == found


def test_what_is_no_selector_is_refused() -> None:
    wrong = ("", ",", "a >", "h2 >> a", "a::before", "a:hover(", "//a", "1a", "[1x]", "[x='a\"b'", "a\x00")
    for selector in (*wrong, "p" * 1001, "h2:not(" * 300):
        with pytest.raises(ValidationError, match=r"expected a (CSS )?selector"):
            Settings.model_validate({"sites": {"a.example": {"text": selector}}})


def read(site: Site, body: str, head: str = "", **rule: Any) -> tuple[str, str]:
    site.pages["/a"] = Answer(page("A title", body, head))
    item = opened({place(site): rule}).fetch_item(f"{site.url}/a")
    return item.text or "", item.text_choice or ""


def test_selectors_say_which_elements_are_the_text_and_which_go_also_of_thousands(site: Site) -> None:
    body = f"<div class=text>{paragraphs('the text', 3)}<p class=ad>Buy it.</p></div><div>{paragraphs('the rest', 9)}</div>"
    text, choice = read(site, body, text=".text", remove=".ad, .none")
    assert text.startswith("Paragraph 1 says that the text was measured")
    assert text.count("Paragraph") == 3
    assert "Buy it" not in text
    assert choice == "rule: '.ad, .none' removes 1, '.text' finds 1"
    text, choice = read(site, body, text=".none")
    assert "the rest" in text
    assert choice.endswith("rule: '.none' finds nothing")
    for everything in ("body", "article"):
        assert "Paragraph" not in read(site, body, remove=everything)[0]
    assert read(site, body, remove="*")[0] == text
    many = "".join(f"<div><p>Line {n} of many.</p></div>" for n in range(8000))
    text, choice = read(site, many, text="div p, div div p, body div p")
    assert choice == "rule: 'div p, div div p, body div p' finds 8000"
    assert text.startswith("Line 0 of many.")
    assert text.endswith("Line 7999 of many.")
    # A rule for a site does not bypass a paywall.
    wall = "<div class=wall><p>Subscribe now to continue reading this article.</p></div>"
    for rule in ({}, {"remove": ".wall"}, {"text": "p"}):
        assert failure(read, site, paragraphs("the teaser", 1) + wall, **rule).code == "paywall"


def test_another_engine_is_asked_for_its_host_and_keeps_the_other_settings(site: Site) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the Engine")))
    far = Settings.model_validate({"allow_networks": ["127.0.0.0/8"]}).open()
    with serving(far, token="t") as address:
        there = {"kind": "http", "url": address, "token": "t"}
        engine = opened({"127.0.0.1:1": {}, place(site): {"engine": there, "pause": "2s"}}, allow_networks=[])
        assert engine.fetch_item(f"{site.url}/a").title == "A"
        with pytest.raises(EngineError, match=r"127\.0\.0\.1"):
            engine.fetch_item("http://127.0.0.1:1/a")
    assert rule_of(engine, site.url).pause is not None
    assert rule_of(object(), site.url) is NONE
    settings = Settings.model_validate({"contact": "me", "sites": {"a.example": {"engine": {"page_timeout": "60s"}}}})
    own = settings.of(settings.rule_for("https://a.example")[1])
    assert (own.contact, own.page_timeout.total_seconds()) == ("me", 60)
