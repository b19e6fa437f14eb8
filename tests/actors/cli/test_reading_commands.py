"""``zeke-news`` lets readers read, star, archive, search and open stories, and shows which articles failed and why."""

import pydoc
import uuid
import webbrowser
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors import waiting
from actors.cli.stories import print_story
from actors.outcomes import Outcome
from actors.store import SQL, items, sources
from actors.store.items import NewItem
from tests.actors.conftest import News
from tests.actors.database import execute
from zeke_jobs.cli.output import Console

TEAM = uuid.UUID(int=7)
URL = "https://a.example/" + "a-long-way/" * 9


def numbers(news: News, *filters: str) -> list[int]:
    return [row["number"] for row in news.json("stories", *filters)]


def test_each_story_has_a_number_that_stays_and_its_address_on_one_line(news: News, add_story: Any, conn: Any) -> None:
    for title in ("First", "Second"):
        add_story("A text.", title=title)
    execute(conn, "UPDATE stories SET primary_url = %s WHERE title = 'First'", URL)
    assert f"      {URL}\n" in news("stories")
    assert {row["title"]: row["number"] for row in news.json("stories")} == {"First": 1, "Second": 2}
    assert "First" in news("story", "1")
    assert "Second" in news("story", "#2")
    news("story", "3", status=1)
    for words in (("stories", "--limit"), ("costs", "--days")):
        news(*words, str(10**20), status=2)


def test_a_title_is_a_link_where_the_terminal_can_and_the_address_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    for url, is_link in (
        ("https://a.example/x", True),
        ("https://a.example/\x1b]8;;x", False),
        ("javascript:x", False),
    ):
        out = Console(force_terminal=True, color_system="truecolor", width=80)
        row = {"number": 1, "published_at": None, "created_at": None, "chili": 3, "source": "S", "id": TEAM,
               "title": "T\x1b[2J", "url": url}  # fmt: skip
        print_story(out, row, None)
        shown = capsys.readouterr().out
        assert (f";{url}\x1b\\" in shown) is is_link
        assert ("\x1b]8;" in shown) is is_link
        assert "\x1b[2J" not in shown


def test_marks_are_remembered_for_each_team(news: News, add_story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [str(add_story("A text.", title=f"Title {n}", days_old=n)) for n in range(3)]
    assert numbers(news) == [1, 2, 3]
    assert news("read", "1", ids[1][:13]) == f"1: read\n{ids[1][:13]}: read\n"
    assert numbers(news, "--unread") == [3]
    news("star", "1")
    assert numbers(news, "--starred") == [1]
    assert "source" in news.json("stories", "--starred")[0]
    assert " *  " in news("stories", "--starred")
    news("archive", "3")
    assert (numbers(news), numbers(news, "--archived")) == ([1, 2], [3])
    news("stories", "--unread", "--archived", status=2)
    for command, number in (("read", "1"), ("star", "1"), ("archive", "3")):
        news(command, number, "--undo")
    assert (numbers(news, "--unread"), numbers(news, "--starred"), numbers(news)) == ([1], [], [1, 2, 3])
    news("read", "1", "--team", str(TEAM))
    assert (numbers(news, "--unread"), numbers(news, "--unread", "--team", str(TEAM))) == ([1], [2, 3])
    monkeypatch.setenv("ZEKE_NEWS_TEAM", str(TEAM))
    assert numbers(news, "--unread") == [2, 3]
    monkeypatch.setenv("ZEKE_NEWS_TEAM", "us")
    assert "a valid UUID" in " ".join(news("stories", status=2).split())


TEXTS = [
    ("en", "Signed packages", "The registry signs packages that maintainers upload. Running servers verify them."),
    ("en", "A talk", "Packages were shipped and not signed by hand, said the registry of ships."),
    ("de", "Neue Häuser", "Die Häuser wurden von der Stadt gebaut und verkauft."),
    ("fr", "Chevaux", "Les chevaux couraient dans les champs."),
    ("zh", "机器学习", "研究人员发布了新的机器学习模型。"),
    ("zh", "学习机器", "他在学习如何修理机器。"),
    (None, "Unknown", "Words of nobody knows which language: running."),
]


@pytest.fixture
def library(add_story: Any, conn: Any) -> dict[str, int]:
    """Add stories in several languages; return their numbers by title."""
    for number, (language, title, text) in enumerate(TEXTS):
        story = add_story(text, title=title, days_old=number)
        of = "UPDATE contents SET language_code = %s WHERE id = (SELECT content_id FROM stories WHERE id = %s)"
        execute(conn, of, language, story)
    return dict(execute(conn, "SELECT s.title, i.number FROM stories AS s JOIN story_index AS i ON i.story_id = s.id"))


def test_words_are_found_in_the_language_of_each_story_the_best_first(news: News, library: Any, add_story: Any) -> None:
    for query, titles in (
        (["signing", "package"], ["Signed packages", "A talk"]),
        (["signing package"], ["Signed packages", "A talk"]),
        (["signs packages", "registry"], ["Signed packages"]),
        (['"signs packages" or wheels'], ["Signed packages"]),
        (["packages -talk -hand"], ["Signed packages"]),
        (["run"], ["Signed packages"]),
        (["running"], ["Signed packages", "Unknown"]),
        (["haus"], ["Neue Häuser"]),
        (["cheval or haus"], ["Neue Häuser", "Chevaux"]),
        (["机器学习"], ["机器学习"]),
        (['"机器学习"'], ["机器学习"]),
        (["机器"], ["机器学习", "学习机器"]),
        (["packages", 'source:"Feed" -talk'], ["Signed packages"]),
        (["packages", "source:feed", "since:12h"], ["Signed packages"]),
        (["since:2020-11-25", "packages"], ["Signed packages", "A talk"]),
        (["ratio:1"], []),
    ):
        assert sorted(row["title"] for row in news.json("search", *query)) == sorted(titles), query
    # A word in the title counts more than words in the text; of equal stories, the newest comes first.
    for title, days in (("Llamas", 9), ("Talk", 1), ("Talk again", 2)):
        add_story("Of llamas and people, said somebody.", title=title, days_old=days)
    assert [row["title"] for row in news.json("search", "llamas")] == ["Llamas", "Talk", "Talk again"]


def test_a_hit_is_shown_in_its_place(news: News, library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = news("search", "verify")
    assert "Signed packages" in out
    assert "Running servers verify them" in " ".join(out.split())
    assert "no story has all these words" in news("search", "llama")
    monkeypatch.chdir(tmp_path)  # Before any jobs.yaml is there, the local model compares.
    assert "no story is near to it; compared by hashed-words-1" in news("search", "--meaning", "retries")
    for query, status, told in (
        (["-packages"], 1, "expected words to look for"),
        (['""'], 1, "expected words to look for"),
        (["source:feed"], 2, "expected words in addition to source: and since:, got none; zeke-news stories --source"),
        (["packages", "source:nowhere"], 1, "expected a part of a source's name or address, got 'nowhere'"),
        (["packages", "--limt", "3"], 2, "no such option: --limt"),
        *(
            (["x", f"since:{day}"], 2, "since: with a length such as 7d or a day")
            for day in ("soon", "-7d", "2026-13-45")
        ),
    ):
        assert told in " ".join(news("search", *query, status=status).replace("│", "").split())
    monkeypatch.setattr("actors.store.news.RANKED", 1)
    assert "ranked among the newest 1 that have these words" in news("search", "verify")


def test_the_index_follows_what_a_story_says_also_a_large_one(add_story: Any, news: News, conn: Any) -> None:
    add_story(" ".join(f"w{n:06x}\U00020000" for n in range(125_000)), title="Large")
    add_story("x" * 1_000_000, title="One word")
    assert news.json("search", "large")[0]["title"] == "Large"
    execute(conn, "DELETE FROM sources")
    assert news.json("stories") == []
    story = add_story("The first wording.", title="A title")
    execute(conn, "UPDATE contents SET text_body = 'The second version.'")
    execute(conn, "UPDATE stories SET title = 'Another headline', published_at = '2020-01-01Z'")
    assert news.json("search", "wording") == []
    assert news.json("search", "title") == []
    (row,) = news.json("search", "version headline")
    assert (row["id"], row["number"]) == (str(story), 3)
    assert news.json("search", "version since:2021-01-01") == []


TEXT = "# A headline\n\nThe text has a first paragraph.\n\nAnd [bold]a second[/bold] one, with \x1b[31mcolour.\n"


def feed(conn: Any, url: str, counts: dict[Outcome, int], kind: str = "rss") -> None:
    """Add a healthy source, with as many items of each outcome as ``counts`` says."""
    source = sources.add(conn, kind, url, name=url.split("/")[2])[0]
    SQL.run(conn, "source_health_put", source_id=source, status="ok", message=None)
    for outcome, count in counts.items():
        ids = [items.add(conn, source, NewItem(external_id=f"{outcome}{n}")).id for n in range(count)]
        items.decide(conn, ids, outcome, f"the reason of {outcome}")


def test_a_feed_whose_articles_all_failed_is_not_well_and_says_why_and_rests_are_shown(conn: Any, news: News) -> None:
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
    shown = ("bad.example", "38 forbidden: the reason of forbidden", "2 retrying: the reason of retrying")
    out = news("sources", "health", has=shown)
    assert "good.example" not in out
    assert "new.example" not in out
    assert "hand.example" not in out, "a page that somebody named makes its site no bad feed"
    assert "1 not_found: the reason of not_found" in news("sources", "health", "good.example")
    (row,) = news.json("sources", "health")
    assert row["articles"] == {"backlog": 9, "forbidden": 38, "retrying": 2}
    for who in ("host/bad.example", "model/large-1"):
        waiting.note(conn, who, timedelta(hours=1), "answers 429")
    out = news("sources", "health", has=("left alone   until ", "model/large-1 is left alone, until "))
    assert out.count("answers 429") == 2


def test_a_text_is_printed_or_paged_whole(add_story: Any, news: News, monkeypatch: pytest.MonkeyPatch) -> None:
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
