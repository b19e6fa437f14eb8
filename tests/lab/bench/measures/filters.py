"""The measure gives the CPU time of judging an item by a thousand filters."""

import time
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from actors.sources.filters import refusal
from actors.sources.rules import Rule
from actors.store.items import Item
from tests.lab.bench.bench import Bench
from tests.lab.bench.result import Row

_RULES = 1_000
_ITEMS = 100_000
_MOST = 1.0  # Judging an item may take _MOST milliseconds.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NOW = datetime(2026, 11, 27, tzinfo=UTC)


def measure(bench: Bench) -> list[Row]:
    """Judge items of 100 sources with a title and a teaser of 80 words; the rules have all kinds, most with words."""
    chance = Random(0)
    words = ["".join(chance.choices(_LETTERS, k=chance.randint(4, 9))) for _ in range(20_000)]
    rules = tuple((f"filter {n}", _rule(n, *chance.sample(words, 2))) for n in range(_RULES))
    count = _ITEMS // 10 if bench.quick else _ITEMS
    spent = dropped = 0.0
    for n in range(count):
        one = _item(n, " ".join(chance.sample(words, 9)), " ".join(chance.sample(words, 80)))
        begin = time.process_time()
        dropped += refusal(rules, one) is not None
        spent += time.process_time() - begin
    note = f"{_RULES:,} rules on {count:,} items, {dropped:,.0f} dropped"
    return [Row("processor time of an item under filters", spent / count * 1e3, "ms", most=_MOST, note=note)]


def _rule(n: int, one: str, other: str) -> Rule:
    kinds: list[dict[str, Any]] = [
        {"words": one},
        {"words": [f"{one} {other}", other]},
        {"regex": rf"\b{one}s?\b.*{other}"},
        {"regex": rf"(\w+\s?)+{one}$", "only_title": True},
        {"author": f"{one} {other}"},
        {"words": one, "language": "de"},
        {"words": one, "source": f"source {n % 40}"},
        {"older": f"{100 + n}d", "folder": f"F{n % 20}"},
        {"words": other, "shorter": 50},
        {"regex": rf"^({one}|{other}) \d+"},
    ]
    return Rule.model_validate({"drop": kinds[n % len(kinds)]})


def _item(n: int, title: str, teaser: str) -> Item:
    of = n % 100
    source = (UUID(int=of), "rss", f"Source {of} feed", f"https://s{of}.example/feed", (f"F{of % 30}",))
    told = {"description": f"<p>{teaser}</p>", "author": "ada lovelace"}
    published = _NOW - timedelta(days=3)
    return Item(UUID(int=n), *source, str(n), "article", title, "https://a.example/", published, told, _NOW, None, 0)
