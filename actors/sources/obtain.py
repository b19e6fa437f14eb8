"""Finds the best available text of an item: the text uploaded with the item, the page's text, or the feed's text."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from actors.engine.article.full_text import CUT, Said
from actors.engine.contract import ContentItem, Engine, EngineError, plausible_duration
from actors.engine.reading import html_to_text, text_language
from actors.engine.settings import rule_of
from actors.engine.text import clean, one_line
from actors.outcomes import Outcome
from actors.sources.likeness import words
from actors.store.items import Item, Text
from actors.store.sources import NEWSLETTER

_ARTICLE = 1000  # characters; a longer description is an article, not a teaser
_LONGEST_CHOICE = 300
_SPOKEN = "transcript"


class Missing(NamedTuple):
    """Holds the reason why an item has no text: the outcome, and the details."""

    outcome: Outcome
    detail: str


def obtain(item: Item, engine: Engine, least: int) -> Text | Missing:
    """Return an item's text, or a ``Missing`` if none has ``least`` characters. An uploaded text needs no fetch.

    Raises:
        EngineError: the error is temporary. A permanent error leads to the feed's text or a ``Missing``.
    """
    if (given := _given(item, least)) is not None:
        return given
    told, unread = _told(item, least)
    told = _in_own_words(item, engine, told, least)
    if told is not None and (item.kind in {"video", "podcast"} or told.origin == _SPOKEN):
        return told
    if told is not None and item.url and rule_of(engine, item.url).feed_is_enough:
        return replace(told, choice=f"{told.origin}: the rule of its site says that it is enough")
    if not item.url:
        return told or unread or Missing(Outcome.NO_URL, "there is neither a text nor an address to fetch it from")
    try:
        page = engine.fetch_item(item.url)
    except EngineError as error:
        if error.transient:
            raise
        return _instead(item, told, error) or Missing(error.code, str(error))
    captions = page.metadata.get("captions")
    if told is None and captions and len((page.text or "").strip()) < least:
        shown = replace(item, title=item.title or page.title, metadata={**item.metadata, "transcript": captions})
        told = _in_own_words(shown, engine, None, least)
    return _of_page(item, page, told, least)


def _given(item: Item, least: int) -> Text | Missing | None:
    given = clean(str(item.metadata.get("text") or "")).strip()
    # A text that a person copied often begins with the headline, but an extracted text does not.
    head, _, below = given.partition("\n")
    if len(below.strip()) >= least and words(head) == words(item.title or ""):
        given = below.strip()
    if given and len(given) < least:
        return Missing(Outcome.TOO_SHORT, f"{len(given)} characters were uploaded, {least} are needed")
    return _with_text(item, given, given, "upload") if given else None


def _in_own_words(item: Item, engine: Engine, told: Text | None, least: int) -> Text | None:
    """Return the item's transcript, or else the feed's text, with the reason for the choice."""
    if not (url := item.metadata.get("transcript")):
        return told
    try:
        page = engine.fetch_item(str(url))
        text = (page.text or "").strip()
        why = f"the transcript has {len(text)} characters"
    except EngineError as error:
        if error.transient:
            raise
        text, why = "", one_line(f"the transcript is unavailable ({error.code}: {error})", _LONGEST_CHOICE)
    if len(text) < least:
        return told and replace(told, choice=f"{told.origin}: {why}")
    description = one_line(told.text, 2000) if told else None
    spoken = _with_text(item, text, page.markdown or text, _SPOKEN)
    return replace(spoken, language=page.language or spoken.language, description=description)


def stand_in(item: Item, error: EngineError, least: int) -> Text | None:
    """Return the feed's text for an item whose page is temporarily unavailable, or None if this text may not be used."""
    try:
        return _instead(item, _told(item, least)[0], error)
    except EngineError:
        return None


def is_article(told: Text) -> bool:
    """Return whether a feed's text counts as a whole article: it is the entry's content, or a long description."""
    return told.origin == "feed" or len(told.text) >= _ARTICLE


def _instead(item: Item, told: Text | None, error: EngineError) -> Text | None:
    """Return the feed's text if it may replace the page's text. A newsletter's text always may."""
    if told is None or ("feed" not in error.code.traits and item.source_type != NEWSLETTER):
        return None
    why = f"{told.origin}: the page is unavailable ({error.code}: {error})"
    return replace(told, choice=one_line(why, _LONGEST_CHOICE))


def _of_page(item: Item, page: ContentItem, told: Text | None, least: int) -> Text | Missing:
    text = clean(page.text or "").strip()
    if len(text) >= least and page.obstacle is None:
        found = Text(
            text=text,
            markdown=clean(page.markdown or text),
            origin=page.text_origin or "page",
            title=item.title or one_line(page.title),
            url=page.url or item.url,
            canonical=page.canonical_url,
            language=page.language,
            author=(page.author.name if page.author else "") or item.metadata.get("author"),
            published_at=item.published_at or page.published_at,
            duration=page.duration or _duration(item),
            choice=page.text_choice,
            description=one_line(page.description) or None,
        )
        if told is None or (size := Said(told.text).size) <= CUT * (own := Said(text).size):
            return found
        # The page's text looks cut off, so use the feed's longer text.
        why = f"{told.origin}: the page's text looks cut, with {own} words of the feed's {size}"
        return replace(found, text=told.text, markdown=told.markdown, origin=told.origin, choice=why)
    if told is not None:
        return told
    if page.content_type == "video" and len(words_of_page := page.description.strip()) >= least:
        return replace(_with_text(item, words_of_page, words_of_page, "description"), title=item.title or page.title)
    url = page.url or item.url
    if page.obstacle is not None:
        return Missing(page.obstacle, f"{url} shows {len(text)} characters before it")
    if page.text is None:
        return Missing(Outcome.NO_TEXT, f"the Engine gives no text for {url}")
    if not text:
        return Missing(Outcome.NO_TEXT, f"no article was found on {url}")
    return Missing(Outcome.TOO_SHORT, f"{len(text)} characters on {url}, {least} are needed")


def _told(item: Item, least: int) -> tuple[Text | None, Missing | None]:
    """Return the item's content in the feed, or else its description, or else the reason why one cannot be read."""
    unread = None
    for origin, key in (("feed", "content"), ("description", "description")):
        if fragment := item.metadata.get(key):
            try:
                text, markdown = html_to_text(str(fragment))
            except EngineError as error:
                if error.transient:
                    raise
                unread = Missing(error.code, str(error))
                continue
            if len(text) >= least:
                return _with_text(item, text, markdown, origin), None
    return None, unread


def _with_text(item: Item, text: str, markdown: str, origin: str) -> Text:
    title, author = item.title or one_line(text.split("\n", 1)[0], 120), item.metadata.get("author")
    told = Text(text, markdown, origin, title, item.url, author=author, published_at=item.published_at)
    return replace(told, language=text_language(text), duration=_duration(item))


def _duration(item: Item) -> float | None:
    seconds = item.metadata.get("duration")
    return plausible_duration(float(seconds)) if isinstance(seconds, int | float) else None
