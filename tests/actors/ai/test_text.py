import re
import time
import uuid
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from actors.ai.composition import enforce, in_longer_lengths, one_line, shorten
from actors.ai.markdown import blocks, plain, prose
from actors.ai.protocol import Brief, Provenance, Story
from actors.ai.ranking import best, ranked
from actors.ai.sentences import is_whole, sentences
from actors.ai.standing import is_scrap, is_told_to_reader, leans, stands_alone
from actors.patterns import _grouped
from tests.each import cases


@given(st.text(max_size=400), st.integers(0, 1000))
def test_each_sentence_knows_its_place(text: str, offset: int) -> None:
    found = sentences(text, offset)
    for sentence in found:
        assert text[sentence.start - offset : sentence.end - offset] == sentence.text
    assert "".join("".join(each.text.split()) for each in found) == "".join(text.split())


@cases(
    "text count",
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
)
def test_sentences_end_where_a_reader_ends_them(text: str, count: int) -> None:
    assert len(sentences(text)) == count


def test_a_whole_sentence_begins_and_ends_like_one() -> None:
    whole = ["The parser is fast now.", "市は来年の春から運行を始める。", "“The parser is fast now.”"]
    others = ["the parser is fast now.", "The parser is fast now", "Too short."]
    assert [text for text in whole + others if is_whole(text)] == whole


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


@cases(
    "markdown text",
    ("It is **42% faster** and *new*.", "It is 42% faster and new."),
    ("See [the notes](https://a.example/x_y_z) now", "See the notes now"),
    ("Call `__init__` of `a_b`", "Call __init__ of a_b"),
    ("a snake_case_name stays, 2 * 3 * 4 too", "a snake_case_name stays, 2 * 3 * 4 too"),
    ("![alt](x.png) <https://a.example> \\*", "alt https://a.example *"),
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


WHO = Provenance("openai", "m", "brief/1")
SHORT = st.sampled_from(["3.5", "U.S.", "e.g.", "No.", "70 ms."])
WORDS = st.text(alphabet="abcdefgäß", min_size=1, max_size=12) | SHORT
SENTENCES = st.lists(WORDS, min_size=1, max_size=40).map(lambda words: " ".join(["Orrin", *words]) + ".")
TEXTS = st.lists(SENTENCES, max_size=7).map(" ".join) | st.text(max_size=600)


def words_of(text: str) -> list[str]:
    return re.findall(r"\S+", text.replace("…", " … "))


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_a_provider_answers_the_limits_hold(one: str, two: str, elevator: str) -> None:
    brief = enforce(Brief(one, two, elevator, WHO))
    assert brief.one_liner is None or 0 < len(brief.one_liner) <= 140
    assert brief.two_liner is None or len(brief.two_liner) <= 280
    assert brief.two_liner is None or len(sentences(brief.two_liner)) == 2
    assert brief.elevator is None or len(sentences(brief.elevator)) in {3, 4}
    for text, part in ((one, brief.one_liner), (two, brief.two_liner), (elevator, brief.elevator)):
        if part is not None:
            given_words = {word.rstrip(" ,;:\u2013\u2014-") for word in words_of(text)} | set(words_of(text)) | {"…"}
            assert set(words_of(part)) <= given_words, "a word was cut"


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 50), SENTENCES), max_size=8, unique_by=lambda p: p[0]))
def test_what_the_local_ai_composes_is_within_the_limits_already(title: str, ranked: list[tuple[int, str]]) -> None:
    story = Story(uuid.UUID(int=1), title, "\n\n".join(text for _, text in ranked))
    brief = Brief(one_line(story), *in_longer_lengths(title, ranked), WHO)
    assert enforce(brief) == brief


@cases(
    "text two",
    ("One is here. Two is here. Three is here.", "One is here. Two is here."),
    ("Dr. Smith of the U.S. agrees. It costs $3.50 now.", "Dr. Smith of the U.S. agrees. It costs $3.50 now."),
    *(("Only one is here.", None), ("", None)),
)
def test_two_lines_are_two_sentences_an_elevator_pitch_three_or_four_and_no_word_is_cut(text: str, two: str) -> None:
    assert enforce(Brief(None, text, None, WHO)).two_liner == two
    for count, kept in {2: None, 3: 3, 4: 4, 6: 4}.items():
        elevator = enforce(Brief(None, None, "Sentence number one says it. " * count, WHO)).elevator
        assert (None if elevator is None else len(sentences(elevator))) == kept
    assert shorten("a" * 200, 140) == ""
    assert enforce(Brief("a" * 200, None, None, WHO)).one_liner is None


PARTS = Path(__file__).with_name("standing.txt").read_text(encoding="utf-8").split("\n\n")
LEANS, NAMES, SCRAPS, SPEECH = (part.splitlines()[1:] for part in PARTS)


def test_a_sentence_that_needs_the_one_before_it_leans_and_one_that_names_what_it_tells_of_does_not() -> None:
    assert [sentence for sentence in LEANS + NAMES if leans(sentence)] == LEANS


def test_a_scrap_and_a_speech_without_the_name_of_its_speaker_are_not_shown() -> None:
    assert [sentence for sentence in SCRAPS + SPEECH + NAMES if is_scrap(sentence)] == SCRAPS
    assert is_told_to_reader("Your to-do list will shrink to 25% of its size.")
    assert not is_told_to_reader("Young people read 25% less.")


TITLE = "Mill of Velm burns"
DOCUMENT = (
    "The mill of Velm burned on Monday. Mara Lind runs the mill, and sells flour in Orrin. The new version of its wheel turns fast. "
    "A company owns it. Nobody likes the company. Nobody knows the company."
)


@cases(
    "sentence stands",
    pytest.param("The new version grinds 40 sacks of flour an hour for Orrin.", False, id="a subject told before"),
    pytest.param("In the autumn of that year, the company closed two of its shops in Orrin.", False, id="after an introduction"),
    pytest.param("The mill of Velm burned before we came home.", False, id="its author speaks"),
    pytest.param("The 40 shops in the valley have closed since the war.", False, id="a number told before"),
    pytest.param("Bakers in Orrin know these mills from the days of the war.", False, id="pointing"),
    ("The wheel of Mara Lind turned for the last time in the autumn.", True),
    ("In the autumn of 2019, Mara Lind closed two of her shops.", True),
    ("About 40 shops in the valley have closed since the war.", True),
    ("A mill of Velm, built in 1890, grinds sacks of flour for all of Orrin.", True),
)  # fmt: skip
def test_a_sentence_stands_alone_if_it_names_its_subject_and_leans_on_no_other(sentence: str, stands: bool) -> None:
    assert stands_alone(sentence, TITLE, f"{DOCUMENT} {sentence}") is stands


def test_where_nouns_have_capitals_a_noun_is_no_name() -> None:
    document = "Die Mühle von Velm ist am Montag mit dem Rad und dem Haus verbrannt. Bäcker aus der Stadt holten das Mehl im Tal."
    assert stands_alone("Die Mühle hatte 40 Räder und ein Haus am Fluss.", "Mühle in Velm verbrannt", document)
    leaning = "Die Räder liefen im Herbst nur noch langsam im Fluss."
    assert not stands_alone(leaning, "Mühle in Velm verbrannt", document)


@pytest.mark.parametrize("flags", [0, re.IGNORECASE])
def test_grouped_alternatives_find_what_they_find_side_by_side(flags: int) -> None:
    lines = [
        r"\b(?:sign|log) (?:up|in)\b|^x|bar",
        r"\bi\w+|\bs?kip|\bs\w*",
        r"\be?tat|\u00ab?foo|[]|)]end|[^])]x",
        r"(?:b|c)(['c])c\1?|\u0131l",
    ]
    plain, grouped = (re.compile("|".join(one), flags) for one in (lines, _grouped(lines, flags)))
    for text in (
        "Skip it, sign up or LOG IN",
        "\u017fkip kip \u0130stanbul \u0131l",
        "tat etat \u00abfoo foo, x bar",
        "|end )end b'c' ccc",
    ):
        assert [one.span() for one in grouped.finditer(text)] == [one.span() for one in plain.finditer(text)]
