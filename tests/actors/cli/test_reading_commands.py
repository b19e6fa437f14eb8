"""Readers read, star, archive and search stories by commands."""

import uuid
from typing import Any

import pytest

from actors.cli.stories import print_story
from actors.store import news as store
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
    listed = {row["title"]: row["number"] for row in news.json("stories")}
    assert listed == {"First": 1, "Second": 2}
    assert "First" in news("story", "1")
    assert "Second" in news("story", "#2")
    news("story", "3", status=1)


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


def test_what_was_read_starred_and_archived_is_remembered_for_each_team(
    news: News, add_story: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_words_are_found_in_the_language_of_each_story(news: News, library: Any) -> None:
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


def test_a_word_of_the_title_outweighs_those_of_the_text_and_then_the_newest_wins(news: News, add_story: Any) -> None:
    for title, days in (("Llamas", 9), ("A talk", 1), ("A talk again", 2)):
        add_story("Of llamas and people, said somebody.", title=title, days_old=days)
    found = news.json("search", "llama") or news.json("search", "llamas")
    assert [row["title"] for row in found] == ["Llamas", "A talk", "A talk again"]


def test_a_hit_is_shown_with_the_place_that_fits(news: News, library: dict[str, int]) -> None:
    out = news("search", "verify")
    assert "Signed packages" in out
    assert "Running servers verify them" in " ".join(out.split())
    assert "no story has all these words" in news("search", "llama")


def test_a_query_that_finds_nothing_is_told(news: News, library: Any) -> None:
    for query, status, told in (
        (["-packages"], 1, "expected words to look for"),
        (['""'], 1, "expected words to look for"),
        (["source:feed"], 2, "expected words in addition to source: and since:, got none; zeke-news stories --source"),
        (["packages", "source:nowhere"], 1, "expected a part of a source's name or address, got 'nowhere'"),
        (["packages", "--limt", "3"], 2, "no such option: --limt"),
        *(
            ((["x", f"since:{since}"]), 2, "since: with a length such as 7d or a day")
            for since in ("soon", "-7d", "2026-13-45")
        ),
    ):
        assert told in " ".join(news("search", *query, status=status).replace("│", "").split())


def test_the_index_follows_what_a_story_says(news: News, add_story: Any, conn: Any) -> None:
    story = add_story("The first wording.", title="A title")
    execute(conn, "UPDATE contents SET text_body = 'The second version.'")
    execute(conn, "UPDATE stories SET title = 'Another headline', published_at = '2020-01-01Z'")
    assert news.json("search", "wording") == []
    assert news.json("search", "title") == []
    (row,) = news.json("search", "version headline")
    assert (row["id"], row["number"]) == (str(story), 1)
    assert news.json("search", "version since:2021-01-01") == []
    execute(conn, "DELETE FROM sources")
    assert store.stories(conn) == []


def test_the_largest_text_is_indexed(add_story: Any, news: News) -> None:
    add_story(" ".join(f"w{n:06x}\U00020000" for n in range(125_000)), title="Large")
    add_story("x" * 1_000_000, title="One word")
    assert len(news.json("stories")) == 2
    assert news.json("search", "large")[0]["title"] == "Large"
