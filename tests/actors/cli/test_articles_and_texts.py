"""A reader sees which articles failed and why, reads a story's text, and opens its page."""

import pydoc
import webbrowser
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors import waiting
from actors.outcomes import Outcome
from actors.store import items, sources
from actors.store.items import NewItem
from actors.store.statements import SQL
from tests.actors.conftest import News

TEXT = "# A headline\n\nThe text has a first paragraph.\n\nAnd [bold]a second[/bold] one, with \x1b[31mcolour.\n"


def feed(conn: Any, url: str, counts: dict[Outcome, int], kind: str = "rss") -> None:
    """Add a source in good health, with as many items of each outcome as ``counts`` says."""
    source = sources.add(conn, kind, url, name=url.split("/")[2])[0]
    SQL.run(conn, "source_health_put", source_id=source, status="ok", message=None)
    for outcome, count in counts.items():
        ids = [items.add(conn, source, NewItem(external_id=f"{outcome}{n}")).id for n in range(count)]
        items.decide(conn, ids, outcome, f"the reason of {outcome}")


def test_a_feed_whose_articles_all_failed_is_not_well_and_says_why(conn: Any, news: News) -> None:
    feed(conn, "https://bad.example/feed", {Outcome.FORBIDDEN: 38, Outcome.RETRYING: 2, Outcome.BACKLOG: 9})
    feed(conn, "https://good.example/feed", {Outcome.STORED: 40, Outcome.NOT_FOUND: 1, Outcome.QUEUED: 1})
    feed(conn, "https://new.example/feed", {Outcome.QUEUED: 3})
    feed(conn, "https://hand.example", {Outcome.NOT_FOUND: 1}, "manual")
    out = news("sources")
    lines = {line.split()[2]: line for line in out.splitlines()[1:]}
    assert "articles fail" in lines["bad.example"]
    assert "0; 38 forbidden, 2 wait" in lines["bad.example"]
    assert "40; 1 not_found, 1 waits" in lines["good.example"]
    assert "0; 3 wait" in lines["new.example"]
    out = news("sources", "health")
    assert "bad.example" in out
    assert "38 forbidden: the reason of forbidden" in out
    assert "2 retrying: the reason of retrying" in out
    assert "good.example" not in out
    assert "new.example" not in out
    assert "hand.example" not in out, "a page that somebody named makes its site no bad feed"
    assert "1 not_found: the reason of not_found" in news("sources", "health", "good.example")
    (row,) = news.json("sources", "health")
    assert row["articles"] == {"backlog": 9, "forbidden": 38, "retrying": 2}


def test_who_rests_is_shown_with_the_reason(conn: Any, news: News) -> None:
    feed(conn, "https://busy.example/feed", {Outcome.RETRYING: 1})
    for who in ("host/busy.example", "model/large-1"):
        waiting.note(conn, who, timedelta(hours=1), "answers 429")
    out = news("sources", "health")
    assert "left alone   until " in out
    assert "model/large-1 is left alone, until " in out
    assert out.count("answers 429") == 2


def test_a_storys_text_is_printed_whole_and_as_it_is_and_paged_on_a_terminal(
    add_story: Any, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = add_story(TEXT, title="Head", url="https://a.example/1")
    out = news("story", str(story), "--text")
    assert out.splitlines()[:2] == ["Head", "https://a.example/1"]
    assert out.endswith("one, with \\x1b[31mcolour.\n\n")
    assert "[bold]a second[/bold]" in out
    assert news.json("story", str(story), "--text")["text"] == TEXT
    paged = list[str]()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(pydoc, "pager", paged.append)
    assert news("story", str(story), "--text") == ""
    assert "first paragraph" in paged[0]


def test_a_page_is_opened_on_a_terminal_or_printed(add_story: Any, news: News, monkeypatch: pytest.MonkeyPatch) -> None:
    story, opened = str(add_story(TEXT, url="https://a.example/1")), list[str]()

    def open_(url: str) -> bool:
        opened.append(url)
        return len(opened) > 1

    monkeypatch.setattr(webbrowser, "open", open_)
    assert news("open", story) == "https://a.example/1\n"
    assert opened == []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert news("open", story) == "https://a.example/1\n", "without a browser the address is printed"
    assert news("open", story) == ""
    assert opened == ["https://a.example/1"] * 2
    news("open", str(add_story(TEXT, url="javascript:alert(1)")), status=1)


def test_before_any_jobs_yaml_is_there_the_local_model_compares(
    news: News, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no story is near to it; compared by hashed-words-1" in news("search", "--meaning", "retries")
