"""The reader of zeke-news can read the feeds that zeke-news writes."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.briefs.syndication import atom, json_feed
from actors.engine.feeds import read_feed
from tests.actors.conftest import News

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)
NASTY = "AT&T <b>\x00\x1b[2J ]]> “x”"
STORIES = [
    {"id": uuid.UUID(int=n), "title": title, "url": f"https://a.example/{n}?a=1&b=2", "source": "A & B",
     "published_at": NOW - timedelta(hours=n) if n else None, "created_at": NOW, "one_liner": "One line.",
     "why_it_matters": "Because <x>."}
    for n, title in enumerate(("First", NASTY))
]  # fmt: skip


@pytest.mark.parametrize("form", ["atom", "json"])
def test_each_story_is_an_entry_that_readers_read(form: str) -> None:
    url = "https://news.example/feed"
    given = {"title": "News", "url": url}
    made = atom(STORIES, **given, now=NOW) if form == "atom" else json_feed(STORIES, **given)
    read = read_feed(made.encode(), url, now=NOW)
    assert read.name == "News"
    first, second = read.items or []
    assert [first.id, second.id] == [f"urn:uuid:{story['id']}" for story in STORIES]
    assert (first.title, first.url) == ("First", "https://a.example/0?a=1&b=2")
    assert (first.published_at, second.published_at) == (NOW, NOW - timedelta(hours=1))
    assert second.title.startswith("AT&T <b>")
    assert "One line." in f"{first.description}{first.metadata.get('content')}"


def test_a_feed_is_written_to_file_or_screen(add_story: Any, tmp_path: Path, news: News) -> None:
    add_story("A text.", title="Registry \x1b[2J signs")
    out = news("feed")
    assert "\x1b" not in out
    assert out.startswith('<feed xmlns="http://www.w3.org/2005/Atom">')
    file = tmp_path / "news.json"
    news("feed", "--format", "json", "--output", str(file), "--title", "Ours", "--since", "1d", "--leads")
    assert json.loads(file.read_text())["title"] == "Ours"
    assert [path.name for path in tmp_path.iterdir()] == ["news.json"]
    news("feed", "--output", str(tmp_path / "no" / "folder"), status=2)
    assert "<updated>" in news("feed", "--source", "nobody")
    assert json.loads(news("feed", "--source", "nobody", "--format", "json"))["items"] == []
