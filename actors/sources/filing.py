"""Makes a story from a text, unless the text is a copy of a story. A copy's item is added to the existing story."""

import hashlib
from typing import Any, NamedTuple
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.engine.canonical import canonical_url, site_of
from actors.outcomes import Outcome
from actors.sources.likeness import bands, jaccard, shingles, text_hash
from actors.store import SQL, clusters, items
from actors.store.items import Item, Text
from zeke_jobs.postgres.queries import Row

_STORY_KINDS = {"video": "video", "podcast": "podcast", "pdf": "pdf", "tweet": "tweet"}
_OF_FEEDS = {"feed", "description"}
_CONTENT_TYPES = {"video": "video", "podcast": "audio"}


class Filed(NamedTuple):
    """Holds the result of storing a text. The outcome is stored, updated or duplicate."""

    outcome: Outcome
    story_id: UUID
    is_news: bool  # whether the story must be analysed
    has_grown: bool = False  # whether one more source reports the story


def file_text(tx: Connection, item: Item, text: Text, near_duplicate: float) -> Filed:
    """Store a text as a new story, an update or a copy, and record the outcome of its item. The caller locked the item.

    Two texts with a Jaccard similarity of at least ``near_duplicate`` are versions of one text.
    """
    filing = _Filing(tx, item, text, near_duplicate)
    known = items.text_of(tx, item.id)
    filed = filing.again(known) if known and known.story_id else filing.anew()
    is_copy = filed.outcome is Outcome.DUPLICATE
    before = clusters.sources(tx, filed.story_id) if is_copy else 0
    detail = f"near duplicate of {filing.near}" if filing.near else None
    items.decide(tx, [item.id], filed.outcome, detail, story_id=filed.story_id)
    return filed._replace(has_grown=is_copy and clusters.sources(tx, filed.story_id) > before)


class _Filing:
    def __init__(self, tx: Connection, item: Item, text: Text, least: float) -> None:
        self.tx, self.item, self.text, self.least = tx, item, text, least
        self.hash = text_hash(text.text)
        self.shingles = shingles(text.text)
        self.bands = bands(self.shingles)
        self.near = 0  # the number of stories with nearly the same text

    def anew(self) -> Filed:
        """Store an item's first text: add a story, or find the story of which the text is a copy."""
        text, tx = self.text, self.tx
        certain, believed = self._certain(), _keys("canonical", self._canonical())
        claims = _keys("canonical", self.item.url, text.url)
        claims += _keys("url", text.canonical)  # stories at the declared address,
        claims += _keys("canonical", text.canonical)  # and stories that also declare this address
        # Workers that store a similar text wait for this lock. It must be taken before the locks of stories.
        SQL.one(tx, "story_filing_hold", keys=[*certain, *believed, *claims], bands=self.bands)
        rivals = SQL.named(tx, "story_by_keys", certain=certain, claims=claims)
        story_id = next((one.story_id for one in rivals if self._resembles(one)), None)
        if story_id is not None:
            SQL.run(tx, "story_keys_add", story_id=story_id, keys=[*certain, *believed])
            return Filed(Outcome.DUPLICATE, story_id, is_news=False)
        # If two different texts declare the same address, the address identifies neither page, so do not use it.
        address = None if rivals else self._canonical()
        told: dict[str, Any] = {
            "title": text.title,
            "published_at": text.published_at,
            "source_id": self.item.source_id,
        }
        told |= {"kind": _STORY_KINDS.get(self.item.kind, "article"), "url": address or text.url or self.item.url}
        told |= {"keys": [*certain, *believed], "bands": self.bands, "content_id": self._put(text.title)}
        new: UUID = SQL.value(tx, "story_add", **told)
        self._unite(new)
        return Filed(Outcome.STORED, new, is_news=True)

    def again(self, known: Row) -> Filed:
        """Store another text of an item that has a story, such as the page's text after the feed's text."""
        SQL.one(self.tx, "story_filing_hold", keys=[f"text:{self.hash}"], bands=self.bands)
        is_reworded = known.text_hash != self.hash
        is_first_page = known.text_origin in _OF_FEEDS and self.text.origin not in _OF_FEEDS
        if is_reworded:  # uniting locks clusters, which must be locked before stories
            SQL.run(self.tx, "story_bands_put", story_id=known.story_id, bands=self.bands)
            self._unite(known.story_id)
        is_retitled = SQL.run(self.tx, "story_edit", story_id=known.story_id, title=self.text.title) > 0
        is_news = is_retitled or is_reworded
        if is_news or is_first_page:
            self._put()
            SQL.run(self.tx, "story_keys_add", story_id=known.story_id, keys=self._certain())
        is_edited = is_news and not is_first_page
        return Filed(Outcome.UPDATED if is_edited else Outcome.STORED, known.story_id, is_news)

    def _put(self, title: str | None = None) -> UUID:
        """Store the item's text in place of an earlier one, and the ``title`` of a new story. Returns the text's id."""
        found_by = {"text_hash": self.hash, "canonical_url": self._canonical(), "written_title": title}
        kind = _CONTENT_TYPES.get(self.item.kind, "text")
        told = {"raw_item_id": self.item.id, "content_type": kind, **vars(self.text), **found_by}
        return UUID(str(SQL.value(self.tx, "content_put", **told)))

    def _unite(self, story_id: UUID) -> None:
        """Put the story and the stories with nearly the same text into one cluster."""
        found = clusters.candidates(self.tx, story_id, self.bands) if self.bands else []
        near = [one.story_id for one in found if self._resembles(one)]
        self.near = len(near)
        if near:
            clusters.unite(self.tx, [story_id, *near])

    def _resembles(self, other: Row) -> bool:
        """Return whether the texts are alike. A row without a text counts as alike: a ``_certain`` key found it."""
        return other.text is None or jaccard(self.shingles, shingles(other.text)) >= self.least

    def _certain(self) -> list[str]:
        """Return the keys that identify a story for certain. Each key belongs to only one story."""
        return [f"text:{self.hash}", *_keys("url", self.item.url, self.text.url)]

    def _canonical(self) -> str | None:
        """Return the address that the page declares, if this address is on the page's own site."""
        claim, page = self.text.canonical, self.text.url or self.item.url
        return claim if claim and page and site_of(claim) == site_of(page) else None


def _keys(kind: str, *urls: str | None) -> list[str]:
    """Return keys for addresses. The kind is ``url`` if they were fetched, and ``canonical`` if pages declare them."""
    addresses = {canonical_url(url) for url in urls if url}
    hashes = (hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest() for address in addresses)
    return sorted(f"{kind}:{one}" for one in hashes)
