"""Turns the bytes of a page into an item with the page's text, as plain text and as markdown."""

import hashlib
from copy import deepcopy

from lxml.etree import ElementDefaultClassLookup, ParserError
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from actors.engine.article.full_text import SHORT, Article, by_trafilatura, plain_text, read_article, without_furniture
from actors.engine.article.transcript import CAPTIONS, spoken
from actors.engine.article.walls import wall
from actors.engine.contract import Author, ContentItem, EngineError, TextOrigin
from actors.engine.metadata import Metadata, read
from actors.engine.selectors import select
from actors.engine.text import clean, decode, letters, one_line, text_language

_MOST_ELEMENTS = 60_000
_PARSER = HTMLParser(  # type: ignore[no-untyped-call]
    encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False, default_doctype=False
)
# Use one class for all elements, because looking up a class for each tag accounts for 10 % of the time spent on a page.
_PARSER.set_element_class_lookup(ElementDefaultClassLookup(element=HtmlElement))


def read_page(
    body: bytes, url: str, content_type: str = "", *, text: str | None = None, remove: str | None = None
) -> ContentItem:
    """Extract the article of a page. If the page has no article, the text is empty.

    A site's rule may give a CSS selector for the article's ``text``, and one for elements to ``remove`` first.

    Raises:
        EngineError: the page is not HTML, is too large, or shows an obstacle, such as a login, instead of the article.
    """
    markup = decode(body, content_type)
    media_type = content_type.partition(";")[0].strip().lower()
    if (words := spoken(markup)) is not None:
        return _item(url, Metadata(title=one_line(words, 120)), words, words)
    if media_type == "application/json":
        raise EngineError("unsupported_type", f"{url} is {media_type}, and no transcript")
    if media_type in {"text/plain", *CAPTIONS}:
        plain = clean(markup).strip()
        title = one_line(plain.split("\n", 1)[0], 200)
        return _item(url, Metadata(title=title), plain, plain)
    tree = parse_page(markup)
    about = read(tree, url)
    own = about.body.strip()
    article = by_rule(tree, own, text, remove) if text or remove else read_article(tree, own)
    if found := wall(tree, article.text, about):
        raise EngineError(found[0], f"{url}: {found[1]}")
    titles = {letters(one) for one in (about.title, *(heading.text_content() for heading in tree.iter("h1")))} - {""}
    links = {letters(link.text_content()) for link in tree.iter("a")} - {""}
    plain, marked = (without_furniture(one, titles, links, SHORT) for one in (article.text, article.markdown))
    is_structured = bool(article.text) and article.text.split() == about.body.split()
    return _item(url, about, plain, marked, "structured" if is_structured else "page", article.reason)


def html_to_text(fragment: str) -> tuple[str, str]:
    """Convert a fragment of HTML, such as the text of a feed's entry, to plain text and to markdown."""
    try:
        tree = parse_page(f"<html><body><article>{fragment}</article></body></html>")
    except EngineError:
        return "", ""
    text, marked = by_trafilatura(tree)
    # The extractor is made for whole pages, and may drop much of a short fragment.
    if len(text) * 2 < len(" ".join(str(tree.xpath("string()")).split())):
        return plain_text(tree), plain_text(tree, marked=True)
    return text, marked()


def parse_page(markup: str) -> HtmlElement:
    """Return the page as a tree of elements. Raises EngineError (``no_text``, ``too_large``)."""
    from trafilatura.utils import repair_faulty_html

    # Faults such as a broken doctype make libxml2 stop before the page's end.
    repaired = repair_faulty_html(markup.replace("\x00", ""), markup[:50].lower())
    try:
        tree: HtmlElement = document_fromstring(repaired.encode("utf-8", "replace"), parser=_PARSER)  # type: ignore[no-untyped-call]
    except ParserError as error:
        raise EngineError("no_text", "the page is empty or is not HTML") from error
    if tree.xpath("count(//*)") > _MOST_ELEMENTS:
        raise EngineError("too_large", f"the page has more than {_MOST_ELEMENTS} elements")
    return tree


def _item(
    url: str, about: Metadata, text: str, markdown: str, origin: TextOrigin = "page", choice: str | None = None
) -> ContentItem:
    return ContentItem(
        id=url,
        title=about.title,
        description=about.description,
        url=url,
        source_type="blog",
        content_type="article",
        published_at=about.published_at,
        metadata={name: one for name, one in (("siteName", about.site), ("captions", about.captions)) if one},
        author=Author.named(about.author),
        text=text,
        markdown=markdown,
        language=text_language(text) or about.language,
        content_hash=hashlib.sha256(text.encode()).hexdigest() if text else None,
        canonical_url=about.canonical,
        text_origin=origin,
        text_choice=choice,
    )


def by_rule(tree: HtmlElement, structured: str, text: str | None, remove: str | None) -> Article:
    """Return the article that a rule's selectors find. The result's reason says how many elements each selector found.

    If ``text`` finds nothing, the article is extracted from what ``remove`` leaves. The text in the page's metadata,
    ``structured``, is used only if ``remove`` finds nothing. ``tree`` is not changed, because ``wall`` reads it.
    """
    page, reasons = deepcopy(tree), []
    going = [one for one in select(page, remove) if one is not page] if remove else []
    for one in going:
        one.drop_tree()  # type: ignore[no-untyped-call]
    if remove:
        reasons.append(f"{remove!r} removes {len(going) or 'nothing'}")
    if text:
        found = select(page, text)
        plain, marked = ("\n\n".join(plain_text(one, marked=is_marked) for one in found) for is_marked in (False, True))
        reasons.append(f"{text!r} finds {len(found) or 'nothing'}")
        if plain.strip():
            return Article(plain.strip(), marked.strip(), f"rule: {', '.join(reasons)}")
    article = read_article(page, "" if going else structured)
    return Article(article.text, article.markdown, f"{article.reason}; rule: {', '.join(reasons)}")
