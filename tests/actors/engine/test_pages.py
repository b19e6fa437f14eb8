import json
from datetime import UTC, datetime
from encodings.aliases import aliases

import pytest
from hypothesis import given, strategies as st

from actors.engine.pages import html_to_text, read_page
from actors.engine.text import decode, web_codec
from tests.actors.engine.conftest import failure
from tests.actors.scripted_site import page, paragraphs
from tests.each import cases

URL = "https://news.example/a-story"
BODY = paragraphs("the new scheduler")


def test_an_article_comes_without_navigation_and_footer_and_code_keeps_its_lines() -> None:
    code = "<pre><code class='language-python'>def run(job):\n    if job.late:\n        retry(job)\n</code></pre>"
    item = read_page(page("The scheduler", BODY + code).encode(), URL, "text/html; charset=utf-8")
    assert (item.title, item.language, item.text_origin) == ("The scheduler", "en", "page")
    assert "Paragraph 6 says" in (item.text or "")
    assert [word for word in ("Imprint", "About") if word in (item.text or "")] == []
    assert item.text_choice == "trafilatura: no other reading is better"
    assert "```" in (item.markdown or "")
    assert "    if job.late:\n        retry(job)" in (item.markdown or "")


def test_what_the_page_says_of_itself_is_read() -> None:
    article = {"@type": ["NewsArticle"], "headline": "H", "datePublished": "2026-11-01T10:00:00+02:00"}
    graph = [{"@type": "WebSite", "name": "x"}, {**article, "author": [{"name": "Ada"}]}]
    data = {"@context": "https://schema.org", "@graph": graph}
    head = (
        f'<script type="application/ld+json">{json.dumps(data)}</script><link rel="canonical" href="/canonical">'
        '<meta property="og:title" content="The  real title"><meta name="description" content="What it&amp;#39;s about">'
    )
    item = read_page(page("The real title", BODY, head).encode(), URL)
    assert (item.title, item.description) == ("The real title", "What it's about")
    assert item.canonical_url == "https://news.example/canonical"
    assert item.published_at == datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
    assert (item.author and item.author.name) == "Ada"
    head = '<link rel="canonical" href="https://news.example/">'  # The canonical link points to the front page.
    assert read_page(page("t", BODY, head).encode(), URL).canonical_url is None
    # A time element with the date of an update does not give the date of publication.
    times = '<p>Published: 3 November 2026</p><time datetime="2026-11-20">Updated 20 November 2026</time>'
    found = read_page(page("A title", f"<h1>A title</h1>{times}{BODY}").encode(), URL).published_at
    assert found is not None
    assert found.date().isoformat() == "2026-11-03"


SITE = '<meta property="og:site_name" content="The Daily News">'


@cases(
    "head heading",
    (f"{SITE}<title>The Daily News | Cranes closed in Hallin</title>", ""),
    (f"{SITE}<title>The Daily News - Cranes closed in Hallin</title>", "<h1>The Daily News</h1>"),
    (f'{SITE}<meta property="og:title" content="The Daily News"><title>Cranes closed in Hallin</title>', ""),
    ids=["no heading", "the logo is the heading", "the site's name is declared as a title"],
)
def test_the_name_of_the_site_is_not_the_title_of_a_page(head: str, heading: str) -> None:
    body = f"{heading}<h2>Cranes closed in Hallin</h2>{BODY}"
    html = f"<html><head>{head}</head><body><article>{body}</article></body></html>"
    assert read_page(html.encode(), URL).title == "Cranes closed in Hallin"
    html = f"<html><head>{SITE}<title>The Daily News</title></head><body><article>{BODY}</article></body></html>"
    assert read_page(html.encode(), URL).title == "The Daily News", "it has no other title"
    # A title that was escaped twice is unescaped twice.
    for heading in ("", "<h1>Jack&amp;#8217;s AT&amp;amp;T deal</h1>"):
        html = f"<title>Jack&amp;#8217;s AT&amp;amp;T deal | News</title><article>{heading}{BODY}</article>"
        assert read_page(html.encode(), URL).title == "Jack\u2019s AT&T deal"


@pytest.mark.parametrize("key", ["@graph", "mainEntity", "mainEntityOfPage"])
def test_an_article_within_structured_data_is_read_though_it_is_no_list(key: str) -> None:
    article = {"@type": "NewsArticle", "headline": "H", "author": {"name": "Ada"}, "isAccessibleForFree": False}
    data = json.dumps({"@context": "https://schema.org", "@type": "WebPage", key: article})
    head = f'<script type="application/ld+json">{data}</script>'
    item = read_page(page("H", BODY * 2, head).encode(), URL)
    assert (item.author and item.author.name) == "Ada"
    teaser = page("H", f"<p>{'Sentence of the bridge says it. ' * 25}</p>", head)
    assert failure(read_page, teaser.encode(), URL).code == "paywall"


ADA = "Ada Lovelace"


@cases(
    "line name",
    pytest.param(f"<p>By {ADA}</p>", ADA, id="by"),
    pytest.param(f"<p>By {ADA} and Alan Turing</p>", f"{ADA} and Alan Turing", id="by two"),
    pytest.param(f'<p><a href="/authors/ada">{ADA}</a></p>', ADA, id="link to a profile"),
    pytest.param(f'<p><a href="/tags/ada">{ADA}</a></p>', None, id="link to a tag"),
    pytest.param(f'<p class="author-name">{ADA}</p>', ADA, id="class"),
    pytest.param('<p class="author-name">Share this</p>', None, id="class, no name"),
    pytest.param(f'<p class="author-name">Site Desk</p><p>By {ADA}</p>', ADA, id="by before class"),
    pytest.param(f'<p class="author"><a href="/author/a">{ADA}</a> <b>Ed</b></p>', ADA, id="profile before class"),
)
def test_an_author_is_read_near_the_heading(line: str, name: str | None) -> None:
    item = read_page(page("A title", f"<h1>A title</h1>{line}{BODY}").encode(), URL)
    assert (item.author.name if item.author else None) == name


@cases(
    "encoding content_type head",
    ("utf-8", "text/html", ""), ("iso-8859-1", "text/html; charset=ISO-8859-1", ""),
    ("windows-1252", "text/html", '<meta charset="windows-1252">'),
    ("shift_jis", "text/html", '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">'),
    ("utf-16", "text/html", ""), ("utf-8", "text/html; charset=no-such-charset", ""),
)  # fmt: skip
def test_a_page_is_decoded_as_it_declares(encoding: str, content_type: str, head: str) -> None:
    word = "日本語" if encoding == "shift_jis" else "Größe"
    html = page("t", f"<p>{word} {'steht im Text und bleibt lesbar. ' * 20}</p>").replace(
        '<meta charset="utf-8">', head
    )
    assert word in (read_page(html.encode(encoding), URL, content_type).text or "")


def test_an_empty_page_or_one_of_absurdly_many_elements_is_refused() -> None:
    for body in (b"", b"   ", b"\x00\x00"):
        assert failure(read_page, body, URL).code == "no_text"
    assert failure(read_page, b"<body>" + b"<p>x</p>" * 61_000, URL).code == "too_large"


def test_a_feeds_own_html_becomes_text_and_markdown_without_loss_and_plain_text_stays() -> None:
    text, markdown = html_to_text(f"{BODY}<pre><code>x = 1\ny = 2\n</code></pre>")
    assert "Paragraph 1 says" in text
    assert "Paragraph 6 says" in text
    assert "x = 1\ny = 2" in markdown
    text, _ = html_to_text("<p>First &amp; foremost.</p><p>Second.</p>Third, bare.<ul><li>Fourth</li></ul>")
    assert [one for one in ("First & foremost.", "Second.", "Third, bare.", "Fourth") if one not in text] == []
    assert html_to_text("Just text.") == ("Just text.", "Just text.")
    item = read_page(b"Title\n\nLine <b> one\nline two", URL, "text/plain")
    assert (item.title, item.text) == ("Title", "Title\n\nLine <b> one\nline two")


ODD = {"idna", "punycode", "unicode_escape", "undefined", "no-such", "\u00e9", ""}
LABELS = sorted({*aliases, *aliases.values(), *ODD})


@given(st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode)), st.sampled_from(LABELS), st.booleans())
def test_whatever_is_declared_and_sent_is_decoded(body: bytes, label: str, in_page: bool) -> None:
    head = f"<meta charset='{label}'>".encode() if in_page else b""
    assert isinstance(decode(head + body, "" if in_page else f"text/html; charset={label}"), str)


#: Browsers decode latin1 as windows-1252, GB2312 as gb18030, and x-sjis as windows-31j.
WEB = {"latin1": "\u20ac 5", "GB2312": "\u570b", "x-sjis": "\u2460", "windows-874": "\u0e44\u0e17\u0e22"}
WEB |= {"ks_c_5601-1987": "\ub620", "koi8-r": "\u043c\u0438\u0440"}


def test_a_label_is_read_as_browsers_read_it_and_what_was_encoded_as_utf_8_twice_is_decoded_twice() -> None:
    for label, text in WEB.items():
        codec = web_codec(label)
        assert codec is not None
        assert decode(text.encode(codec), f"text/html; charset={label}") == text
    once = "Earth\u2019s caf\u00e9s \u2013 49\u00b0"
    assert decode(once.encode().decode("latin-1").encode(), "text/html; charset=utf-8") == once
    assert decode("Ã© alone is a letter and a sign".encode(), "text/html; charset=utf-8").startswith("Ã©")
