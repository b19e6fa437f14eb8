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


@given(
    st.lists(
        st.tuples(st.text(max_size=20), st.from_regex(r"https://[a-z]{1,9}\.example/[a-z&?=]{0,9}", fullmatch=True)),
        max_size=9,
    )
)
def test_what_is_written_is_read_back(feeds: list[tuple[str, str]]) -> None:
    listed = [Listed(name, address) for name, address in feeds]
    assert [feed.address for feed in read_opml(write_opml(listed))] == list(
        dict.fromkeys(address for _, address in feeds)
    )


@given(
    st.lists(
        st.lists(st.from_regex(r"[a-z][a-z /&<]{0,8}[a-z]", fullmatch=True), max_size=3).map(tuple),
        max_size=9,
    )
)
def test_folders_are_read_back_as_they_were_written(folders: list[tuple[str, ...]]) -> None:
    feeds = [Listed("A feed", f"https://a.example/{number}", folder) for number, folder in enumerate(folders)]
    expected = [feed._replace(folder=tuple(" ".join(step.split()) for step in feed.folder)) for feed in feeds]
    assert sorted(read_opml(write_opml(feeds))) == sorted(expected)


def test_names_keep_their_signs() -> None:
    feed = Listed('A & B <"quoted">', "https://a.example/?x=1&y=2")
    assert read_opml(write_opml([feed])) == [feed]


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
