import pytest
from hypothesis import given, strategies as st

from actors.engine.contract import EngineError
from actors.engine.opml import LARGEST, Listed, read_opml, write_opml


def test_folders_are_opened_and_each_feed_comes_once() -> None:
    text = """<?xml version="1.0"?><opml version="1.0"><head/><body>
      <outline text="Folder"><outline text="One" xmlUrl="https://a.example/feed"/>
        <outline title="Two" xmlurl=" https://b.example/feed "/></outline>
      <outline text="Again" xmlUrl="https://a.example/feed#top"/><outline text="Bare" xmlUrl="c.example/feed"/><outline text="Not a feed" htmlUrl="https://c.example"/>
      <outline text="Not the web" xmlUrl="file:///etc/passwd"/></body></opml>"""
    assert read_opml(text.encode()) == [
        ("One", "https://a.example/feed", ("Folder",)),
        ("Two", "https://b.example/feed", ("Folder",)),
        ("Bare", "https://c.example/feed", ()),
        ("Not the web", "file:///etc/passwd", ()),
    ]


NAME = st.from_regex(r"[a-z\"][a-z /&<>\"]{0,8}[a-z]", fullmatch=True)
ADDRESS = st.from_regex(r"https://[a-z]{1,9}\.example/[a-z&?=]{0,9}", fullmatch=True)


@given(
    st.lists(st.tuples(NAME, ADDRESS, st.lists(NAME, max_size=3).map(tuple)), max_size=9, unique_by=lambda one: one[1])
)
def test_what_is_written_is_read_back_in_its_folders(feeds: list[tuple[str, str, tuple[str, ...]]]) -> None:
    listed = [
        Listed(" ".join(name.split()), url, tuple(" ".join(one.split()) for one in steps)) for name, url, steps in feeds
    ]
    assert sorted(read_opml(write_opml(listed))) == sorted(listed)


@given(st.text(max_size=20))
def test_a_name_of_any_characters_is_written_so_that_it_can_be_read(name: str) -> None:
    assert [feed.address for feed in read_opml(write_opml([Listed(name, "https://a.example/")]))] == [
        "https://a.example/"
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no XML"), (b"<html></html>", "document of 'html'"), (b"<opml><body>", "no XML"),
        (b'<!DOCTYPE opml [<!ENTITY a "b">]><opml>&a;</opml>', "entities"),
        (b'<!DOCTYPE opml [<!ENTITY a SYSTEM "file:///etc/passwd">]><opml>&a;</opml>', "entities"),
        (b" " * (LARGEST + 1), "at most"),
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        read_opml(data)
