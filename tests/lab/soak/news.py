"""A seed determines the feeds, the pages and the pages submitted one by one, and the expected outcome of each item."""

import random
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import count

from actors.engine.canonical import canonical_url
from tests.actors.scripted_site import page, rss

STORY = "a story"  # The first item of a text is stored as a story, and all others are duplicates.
_ENDS = {"missing": "not_found", "removed": "gone", "wall": "paywall", "short": "too_short"}
_ENDS |= {"image": "unsupported_type", "loop": "too_many_redirects"}
_BAD_PAGES = [*_ENDS]
_STARTS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "ch", "st", "tr", "pl")
_ENDINGS = ("a", "e", "i", "o", "u", "ai", "or", "en")
_SYLLABLES = [a + b for a in _STARTS for b in _ENDINGS]
_SMALL = ("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "with", "as", "was", "on", "by", "at", "from", "this")  # fmt: skip
_TRADE = ("Postgres", "latency", "security", "API", "model", "benchmark", "release", "Python", "vector", "migration")


@dataclass(frozen=True)
class Item:
    """A news item; ``end`` is the outcome that it must have in the pipeline."""

    external_id: str  # The pipeline identifies the item by ``external_id``.
    url: str
    kind: str = "good"  # The kind is ``good`` or a key of ``_ENDS``.
    text: int = 0  # The text has a number, and items with one text make one story.
    twin: int | None = None  # The item's text is an edited copy of the text with the number ``twin``.

    @property
    def end(self) -> str:
        return _ENDS.get(self.kind, STORY)


@dataclass
class News:
    hosts: list[str]  # Each feed has a base address.
    per_feed: int
    seed: int

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._numbers = count(1)
        self._good: list[Item] = []
        self.feeds = {
            f"{host}/feed.xml": [self._item(f"g-{f}-{i}", f"{host}/news/{i}") for i in range(self.per_feed)]
            for f, host in enumerate(self.hosts)
        }
        self.oneoffs = [self._oneoff(n, host) for n, host in enumerate(self.hosts)]
        lists = [*self.feeds.values(), self.oneoffs]
        # A page that is in two of these lists is one item.
        self.items = {item.external_id: item for each in lists for item in each}
        #: The item at each address without query; of several, the first.
        self.pages = {item.url.partition("?")[0]: item for item in reversed(self.items.values())}
        #: Edited copies of texts, with their originals.
        self.twins = {item.text: item.twin for item in self.items.values() if item.twin is not None}
        #: The numbers of all texts that become a story.
        self.texts = {item.text for item in self.items.values() if item.end == STORY}

    def _item(self, external_id: str, url: str) -> Item:
        chance, good, lot = self._chance, self._good, self._chance.random()
        if lot < 0.06:
            return Item(external_id, url, chance.choice(_BAD_PAGES))
        if lot < 0.09 and good:  # The item has the text of another page.
            return Item(external_id, url, text=chance.choice(good).text)
        if lot < 0.11 and good:  # The item links to another item's page.
            other = chance.choice(good)
            return Item(external_id, f"{other.url}?utm_source={external_id}", text=other.text)
        single = [item for item in good[-40:] if item.twin is None]
        if lot < 0.13 and single:  # The item is an edited copy; each text has at most one copy.
            other = single[0]
            good.remove(other)
            return Item(external_id, url, text=next(self._numbers), twin=other.text)
        item = Item(external_id, url, text=next(self._numbers))
        good.append(item)
        return item

    def _oneoff(self, n: int, host: str) -> Item:
        if n % 2 and self._good:
            other = self._chance.choice(self._good)
            url = f"{other.url}?utm_campaign=c{n}"
            return Item(canonical_url(url), url, text=other.text)
        url = f"{host}/single/{n}"
        if self._chance.random() < 0.1:
            return Item(canonical_url(url), url, self._chance.choice(_BAD_PAGES))
        return Item(canonical_url(url), url, text=next(self._numbers))

    def text(self, number: int) -> list[str]:
        twin = self.twins.get(number)
        if twin is None:
            return paragraphs(self.seed, number)
        edited = [*paragraphs(self.seed, twin)]
        edited[1] = paragraphs(self.seed, number)[1]
        return edited

    def feed(self, url: str) -> str:
        entries = ((item.external_id, escape(title(item.text)), escape(item.url)) for item in self.feeds[url])
        return rss(*entries, link=url)

    def page(self, item: Item) -> str:
        body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in self.text(item.text))
        return page(escape(title(item.text)), body)


@lru_cache(maxsize=64)
def paragraphs(seed: int, number: int) -> list[str]:
    """Make eleven paragraphs of some 650 unique words in total; some sentences state a fact about the headline."""
    chance, about = random.Random(f"{seed} {number}"), title(number).lower().split()
    words = _words(chance, 160)
    return [" ".join(_sentence(chance, words, about) for _ in range(4)) for _ in range(11)]


def title(number: int) -> str:
    return " ".join(_words(random.Random(f"title {number}"), 6)).capitalize()


def _words(chance: random.Random, size: int) -> list[str]:
    return ["".join(chance.choices(_SYLLABLES, k=chance.choice((2, 3, 3, 4)))) for _ in range(size)]


def _sentence(chance: random.Random, words: list[str], about: list[str]) -> str:
    parts = [chance.choice(words if chance.random() < 0.6 else _SMALL) for _ in range(chance.randint(8, 20))]
    if chance.random() < 0.15:
        who = " ".join(word.capitalize() for word in chance.sample(words, 2))
        change = f"reduced the {chance.choice(_TRADE)} by {chance.randint(2, 90)} percent in"
        parts = [who, change, *chance.sample(about, 2), "and", *chance.sample(words, 2)]
    text = " ".join(parts)
    return f"{text[0].upper()}{text[1:]}."
