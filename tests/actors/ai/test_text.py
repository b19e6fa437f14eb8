import time
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from actors.ai.composition import one_line
from actors.ai.markdown import blocks, plain, prose
from actors.ai.protocol import Story
from actors.ai.ranking import best, ranked
from actors.ai.sentences import is_whole, sentences


@given(st.text(max_size=400), st.integers(0, 1000))
def test_each_sentence_knows_its_place(text: str, offset: int) -> None:
    found = sentences(text, offset)
    for sentence in found:
        assert text[sentence.start - offset : sentence.end - offset] == sentence.text
    assert "".join("".join(each.text.split()) for each in found) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Smith of the U.S. office agrees. He said so.", 2),
        ("The film came to the U.S. The next one did not.", 2),
        ("Lt. Lind fell that day.The town mourns. Mr. Lind was old.", 3),
        ("Call Task.Run to begin at Booking.com now.", 1),
        ("It costs $3.50 in v1.2.3 of Node.js today. Fine.", 2),
        ("See fig. 3 and no. 4 for that. The answer is no. Then it ends.", 3),
        ("The VW ID. SPACE is new. Show your ID. The guard waits.", 3),
        ("J. Doe wrote it. So did K. Roe.", 2),
        ("It fell to 70 ms. “We did not expect it,” he said.", 2),
        ("“Really?” she asked. It was!", 2),
        ("It uses e.g. Redis. It works.", 2),
        ("Wait… what? Yes.", 2),
        ("Sie schalten es am 31. März ab. Das ist früh.", 2),
        ("Auch am 10. Spieltag fiel kein Tor. Das war neu.", 2),
        ("Das gilt für Autos bzw. Lastwagen. Busse fahren.", 2),
        ("Mieszka przy ul. Nowej w mieście. To blisko.", 2),
        ("The answer is 10. Then it ends.", 2),
        ("First paragraph\n\nSecond paragraph", 2),
        ("One line\nof one sentence.", 1),
        ("", 0),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("The parser is fast now.", True),
        ("the parser is fast now.", False),
        ("The parser is fast now", False),
        ("Too short.", False),
        ("市は来年の春から運行を始める。", True),
        ("“The parser is fast now.”", True),
    ],
)
def test_a_whole_sentence_begins_and_ends_like_one(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


@given(st.text(alphabet="ab #>`-*|\n~1.", max_size=200) | st.text(max_size=200))
def test_each_block_knows_its_place(document: str) -> None:
    for block in blocks(document):
        assert document[block.start : block.end] == block.text
        assert block.text.strip()


def test_blocks_of_every_kind() -> None:
    document = "# H\n\nPara\ngraph.\n\n- one\n- two\n\n```py\nx = 1\n\ny = 2\n```\n\n| a |\n| - |\n\n---\n"
    assert [(block.kind, block.text) for block in blocks(document)] == [
        ("heading", "# H"),
        ("paragraph", "Para\ngraph."),
        ("item", "- one"),
        ("item", "- two"),
        ("code", "x = 1\n\ny = 2"),
        ("table", "| a |\n| - |"),
    ]
    assert {block.heading for block in blocks(document)} == {"H"}


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("It is **42% faster** and *new*.", "It is 42% faster and new."),
        ("See [the notes](https://a.example/x_y_z) now", "See the notes now"),
        ("Call `__init__` of `a_b`", "Call __init__ of a_b"),
        ("a snake_case_name stays, 2 * 3 * 4 too", "a snake_case_name stays, 2 * 3 * 4 too"),
        ("![alt](x.png) <https://a.example> \\*", "alt https://a.example *"),
    ],
)
def test_plain_text_is_what_a_reader_sees(markdown: str, text: str) -> None:
    assert plain(markdown) == text


def test_the_sentence_that_shares_most_with_the_others_ranks_first_and_its_repetition_does_not_follow() -> None:
    central = "The council closed the bridge because engineers found cracks in its pillar."
    again = "Because engineers found cracks in its pillar, the council closed the bridge."
    others = ["Rain fell on the hills of Velm in the early morning.", "Engineers found forty cracks in the pillar."]
    found = ranked(" ".join([*others, central, "The council met in the hall for hours.", again]))
    assert max(found, key=lambda one: one.score).text == central
    assert again not in [one.text for one in best(list(found), 3)]


MARKS = ["*a ", "**a", "`a ", "`", "[", "[a", "[a](", "![a", "_a", "<https://a", "> ", "- ", "# ", "```\n"]
MARKS += ["A. ", "1,", ". ", "“", "« "]


@pytest.mark.parametrize("piece", MARKS)
def test_a_page_of_nothing_but_marks_takes_no_longer_than_another(piece: str) -> None:
    document = piece * (100_000 // len(piece))
    started = time.process_time()
    ranked(document)
    prose(document)
    one_line(Story(uuid4(), "A bank cuts rates", document))
    assert time.process_time() - started < 5, "quadratic patterns took minutes"
