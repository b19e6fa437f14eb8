"""Drops items by rules. Rules test the entry in the feed before the page is fetched, and the page's text afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from html import unescape

from psycopg2.extensions import connection as Connection

from actors.engine.text import text_language
from actors.outcomes import Outcome
from actors.sources.likeness import words
from actors.sources.obtain import Missing
from actors.sources.rules import Conditions, Rule, fits, folded, has_words
from actors.store import SQL
from actors.store.items import Item, Text
from actors.store.sources import MANUAL

Rules = tuple[tuple[str, Rule], ...]

_READ = 20_000  # characters
_TAG = re.compile(r"<[^<>]*>")
_rule = lru_cache(maxsize=8192)(Rule.model_validate_json)


def named(conn: Connection, rules: Iterable[Rule]) -> Rules:
    """Return the rules of jobs.yaml and of ``zeke-news filter``, each with the name that people see."""
    given = [(f"jobs.yaml {place}", rule) for place, rule in enumerate(rules, 1)]
    return (*given, *((f"filter {row['number']}", _rule(row["rule"])) for row in SQL.all(conn, "filters")))


def refusal(rules: Rules, item: Item, text: Text | None = None) -> Missing | None:
    """Return the reason if a rule drops an item, or None. Without ``text``, a rule that needs a text drops nothing."""
    facts = _Facts(item, text)
    keeps, is_kept = list[str](), False
    for name, rule in rules if item.source_type != MANUAL else ():
        if (rule.when.source or rule.when.folder) and not _applies(rule.when, facts):
            continue
        is_fit = _fits(rule.when, facts)
        if rule.drop and is_fit:
            return Missing(Outcome.FILTERED, f"{name}: {rule}")
        if rule.keep:
            keeps.append(f"{name}: {rule}")
            is_kept |= is_fit is not False
    return Missing(Outcome.FILTERED, "; ".join(keeps)) if keeps and not is_kept else None


@dataclass(frozen=True)
class _Facts:
    """Holds what the rules test about an item. ``text`` is None until the item's page has been read."""

    item: Item
    text: Text | None

    @cached_property
    def source(self) -> str:
        return _folded(f"{self.item.source}\n{self.item.source_url}")

    @cached_property
    def title(self) -> str:
        return folded((self.item.title or "")[:_READ])

    @cached_property
    def author(self) -> str:
        return folded(str(self.item.metadata.get("author") or (self.text and self.text.author) or ""))

    @cached_property
    def said(self) -> str:
        told = self.item.metadata
        parts = [str(told.get(name) or "") for name in ("text", "description", "content")]
        tags = told.get("tags")
        parts.append(", ".join(map(str, tags)) if isinstance(tags, list) else "")
        return folded(unescape(_TAG.sub(" ", "\n".join(part[: 4 * _READ] for part in parts))))[:_READ]

    @cached_property
    def language(self) -> str | None:
        text = self.text
        known = (text.language or text_language(text.text)) if text else text_language(f"{self.title}. {self.said}")
        return known.lower().replace("_", "-").partition("-")[0] if known else None

    @cached_property
    def words(self) -> int | None:
        given = self.text.text if self.text else self.item.metadata.get("text")
        return len(words(str(given))) if given else None

    @cached_property
    def seconds(self) -> float | None:
        seconds = (self.text and self.text.duration) or self.item.metadata.get("duration")
        return float(seconds) if isinstance(seconds, int | float) else None


def _fits(when: Conditions, facts: _Facts) -> bool | None:
    """Return whether an item fits a rule's conditions, or None if the result needs a text that is not known yet."""
    known: list[bool | None] = []
    for patterns, find in ((when.words, has_words), (when.regex, fits)):
        if patterns:
            places = (facts.title,) if when.only_title else (facts.title, facts.said)
            known.append(any(find(one, place) for place in places for one in patterns))
    if when.author:
        is_unknown = facts.text is None and not facts.author
        known.append(None if is_unknown else any(has_words(one, facts.author) for one in when.author))
    if False in known:
        return False
    if when.older is not None:
        published = facts.item.published_at
        known.append(published is not None and facts.item.found_at - published > when.older)
    if when.language:
        known.append(None if facts.language is None else facts.language in when.language)
    known += [_is_beyond(when.shorter, facts, -1), _is_beyond(when.longer, facts, 1)]
    return False if False in known else None if None in known else True


def _is_beyond(limit: int | timedelta | None, facts: _Facts, sign: int) -> bool | None:
    if limit is None:
        return True
    is_recording = facts.item.kind in {"video", "podcast"}
    if is_recording == isinstance(limit, int):
        return False
    size, least = (facts.words, limit) if isinstance(limit, int) else (facts.seconds, limit.total_seconds())
    return None if size is None else sign * size > sign * least


def _applies(when: Conditions, facts: _Facts) -> bool:
    item, parts = facts.item, [_folded(part) for part in when.source]
    by_id = any(len(part) >= 8 and str(item.source_id).startswith(part) for part in parts)
    is_source = not parts or by_id or any(part in facts.source for part in parts)
    folders = [[step.strip().casefold() for step in one.split("/") if step.strip()] for one in when.folder]
    folder = [step.casefold() for step in item.folder]
    return is_source and (not folders or any(folder[: len(steps)] == steps for steps in folders))


@lru_cache(maxsize=8192)
def _folded(part: str) -> str:
    return folded(part).casefold()
