"""Makes a text a story, or joins it to the story that it copies; two workers never make two stories of one text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from actors.engine.canonical import canonical_url, site_of
from actors.outcomes import Outcome
from actors.sources.likeness import text_hash
from actors.store import clusters, items, stories
from actors.store.stories import Content

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from actors.sources.likeness import Likeness
    from actors.sources.obtain import Text
    from actors.store.items import Item
    from actors.store.stories import Candidate, Stored

_STORY_KINDS = {"video": "video", "podcast": "podcast", "pdf": "pdf", "tweet": "tweet"}
_OF_FEEDS = {"feed", "description"}
_CONTENT_TYPES = {"video": "video", "podcast": "audio"}


@dataclass(frozen=True)
class Filed:
    """How a text was filed.

    Attributes:
        outcome: stored, updated or duplicate.
        story_id: Its story.
        is_news: Whether the story has to be analysed (again).
        near: Stories that are nearly the same, now in its cluster.
        has_grown: Whether one more source tells of a known story.
    """

    outcome: Outcome
    story_id: UUID
    is_news: bool
    near: tuple[UUID, ...] = ()
    has_grown: bool = False


def file_text(tx: Connection, item: Item, text: Text, likeness: Likeness, near_duplicate: float) -> Filed:
    """File the text of an item that the caller holds locked, and record the item's outcome.

    Args:
        tx: A connection inside a transaction.
        item: The item.
        text: Its text.
        likeness: The text's likeness.
        near_duplicate: From this Jaccard similarity on, two texts are versions of one text.
    """
    content = _content(item, text)
    known = stories.of_item(tx, item.id)
    if known is not None and known.story_id is not None:
        filed = _file_again(tx, item, content, text, likeness, near_duplicate, known, known.story_id)
    else:
        filed = _file_new(tx, item, content, text, likeness, near_duplicate)
    is_copy = filed.outcome is Outcome.DUPLICATE
    before = clusters.sources(tx, filed.story_id) if is_copy else 0
    detail = f"near duplicate of {len(filed.near)}" if filed.near else None
    items.decide(tx, [item.id], filed.outcome, detail, story_id=filed.story_id)
    return replace(filed, has_grown=is_copy and clusters.sources(tx, filed.story_id) > before)


def _file_new(
    tx: Connection, item: Item, content: Content, text: Text, likeness: Likeness, near_duplicate: float
) -> Filed:
    certain, believed = _certain(item, content, text), _keys("canonical", _addresses(content.canonical_url))
    claims = [*_keys("canonical", _addresses(item.url, text.url)), *_keys_of_claim(text)]
    stories.hold_alike(tx, [*certain, *believed, *claims], likeness.bands)
    story_id = stories.by_keys(tx, certain)
    rivals: list[Candidate] = []
    if story_id is None:
        rivals = stories.claimed(tx, claims)
        story_id = next((one.story_id for one in rivals if _resembles(likeness, one, near_duplicate)), None)
    if story_id is not None:
        stories.add_keys(tx, story_id, [*certain, *believed])
        return Filed(Outcome.DUPLICATE, story_id, is_news=False)
    content_id = stories.put(tx, item.id, content)
    # If another text claims the address too, it does not distinguish the pages of this site.
    address = None if rivals else content.canonical_url
    story_id = stories.add(
        tx,
        content_id,
        source_id=item.source_id,
        title=text.title,
        kind=_STORY_KINDS.get(item.kind, "article"),
        url=address or text.url or item.url,
        published_at=text.published_at,
        keys=[*certain, *believed],
        signature=likeness.signature,
        bands=likeness.bands,
    )
    return Filed(Outcome.STORED, story_id, is_news=True, near=_near(tx, story_id, likeness, near_duplicate))


def _file_again(
    tx: Connection,
    item: Item,
    content: Content,
    text: Text,
    likeness: Likeness,
    near_duplicate: float,
    known: Stored,
    story_id: UUID,
) -> Filed:
    """File the new text of an article that was read before: its story follows, also from the feed's text to the page's."""
    stories.hold_alike(tx, [_text_key(content)], likeness.bands)
    is_reworded = known.text_hash != content.text_hash
    is_first_page = known.text_origin in _OF_FEEDS and content.text_origin not in _OF_FEEDS
    near: tuple[UUID, ...] = ()
    if is_reworded:  # locks clusters, so before any story
        stories.sign(tx, story_id, likeness.signature, likeness.bands)
        near = _near(tx, story_id, likeness, near_duplicate)
    retitled = stories.edit(tx, story_id, title=text.title)
    is_news = is_reworded or retitled
    if is_news or is_first_page:
        stories.put(tx, item.id, content)
        stories.add_keys(tx, story_id, _certain(item, content, text))
    is_edited = is_news and not is_first_page
    return Filed(Outcome.UPDATED if is_edited else Outcome.STORED, story_id, is_news=is_news, near=near)


def _near(tx: Connection, story_id: UUID, likeness: Likeness, least: float) -> tuple[UUID, ...]:
    """The stories that are nearly the same, united with this one."""
    found = stories.candidates(tx, story_id, likeness.bands) if likeness.bands else []
    near = tuple(one.story_id for one in found if _resembles(likeness, one, least))
    if near:
        clusters.unite(tx, [story_id, *near])
    return near


def _resembles(likeness: Likeness, other: Candidate, least: float) -> bool:
    return likeness.resembles(other.signature, other.text, least)


def _text_key(content: Content) -> str:
    return f"text:{content.text_hash}"


def _certain(item: Item, content: Content, text: Text) -> list[str]:
    """Keys of which one is enough for the same story: of the text, and of the addresses at which it was found."""
    return [_text_key(content), *_keys("url", _addresses(item.url, text.url))]


def _keys(kind: str, addresses: Iterable[str]) -> list[str]:
    """Keys of canonical addresses: ``url`` is the address of the fetch, ``canonical`` the page's own statement."""
    hashes = {hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest() for address in addresses}
    return sorted(f"{kind}:{one}" for one in hashes)


def _keys_of_claim(text: Text) -> list[str]:
    """Keys that find stories at the address which a page states as its own, or which state the same address."""
    claim = _addresses(text.canonical)
    return [*_keys("url", claim), *_keys("canonical", claim)]


def _addresses(*urls: str | None) -> set[str]:
    return {canonical_url(url) for url in urls if url}


def _believed(item: Item, text: Text) -> str | None:
    """The page's own statement of its address, unless that is on another site."""
    page = text.url or item.url
    if text.canonical is None or page is None or site_of(text.canonical) != site_of(page):
        return None
    return text.canonical


def _content(item: Item, text: Text) -> Content:
    return Content(
        text=text.text,
        text_hash=text_hash(text.text),
        text_origin=text.origin,
        content_type=_CONTENT_TYPES.get(item.kind, "text"),
        markdown=text.markdown,
        language=text.language,
        canonical_url=_believed(item, text),
        final_url=text.url,
        author=text.author,
        text_choice=text.choice,
        description=text.description,
        duration_seconds=round(text.duration) if text.duration else None,
    )
