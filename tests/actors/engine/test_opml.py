from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engine.opml import LARGEST, read_opml, write_opml


def test_folders_are_opened_and_each_feed_comes_once() -> None:
    text = """<?xml version="1.0"?><opml version="1.0"><head/><body>
      <outline text="Folder"><outline text="One" xmlUrl="https://a.example/feed"/>
        <outline title="Two" xmlurl=" https://b.example/feed "/></outline>
      <outline text="Again" xmlUrl="https://a.example/feed"/><outline text="Not a feed" htmlUrl="https://c.example"/>
      <outline text="Not the web" xmlUrl="file:///etc/passwd"/></body></opml>"""
    assert read_opml(text.encode()) == [("One", "https://a.example/feed"), ("Two", "https://b.example/feed")]


@given(
    st.lists(
        st.tuples(st.text(max_size=20), st.from_regex(r"https://[a-z]{1,9}\.example/[a-z&?=]{0,9}", fullmatch=True)),
        max_size=9,
    )
)
def test_what_is_written_is_read_back(feeds: list[tuple[str, str]]) -> None:
    assert [address for _, address in read_opml(write_opml(feeds))] == list(
        dict.fromkeys(address for _, address in feeds)
    )


def test_names_keep_their_signs() -> None:
    assert read_opml(write_opml([('A & B <"quoted">', "https://a.example/?x=1&y=2")])) == [
        ('A & B <"quoted">', "https://a.example/?x=1&y=2")
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no XML"),
        (b"<html></html>", "document of 'html'"),
        (b"<opml><body>", "no XML"),
        (b'<!DOCTYPE opml [<!ENTITY a "b">]><opml>&a;</opml>', "entities"),
        (b'<!DOCTYPE opml [<!ENTITY a SYSTEM "file:///etc/passwd">]><opml>&a;</opml>', "entities"),
        (b" " * (LARGEST + 1), "at most"),
    ],
)
def test_what_is_no_list_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_opml(data)
