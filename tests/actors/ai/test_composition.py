import re
import uuid

import pytest
from hypothesis import given, strategies as st

from actors.ai.composition import enforce, in_longer_lengths, one_line, shorten, time_saved_seconds
from actors.ai.protocol import Brief, Provenance, Story
from actors.ai.sentences import sentences

WHO = Provenance("openai", "m", "brief/1")

WORDS = st.text(alphabet="abcdefgäß", min_size=1, max_size=12) | st.sampled_from(
    ["3.5", "U.S.", "e.g.", "No.", "70 ms."]
)
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


def test_a_word_of_two_hundred_letters_gives_nothing_instead_of_a_piece() -> None:
    assert shorten("a" * 200, 140) == ""
    assert enforce(Brief("a" * 200, None, None, WHO)).one_liner is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("One is here. Two is here. Three is here.", "One is here. Two is here."),
        ("Only one is here.", None),
        ("", None),
        ("Dr. Smith of the U.S. agrees. It costs $3.50 now.", "Dr. Smith of the U.S. agrees. It costs $3.50 now."),
    ],
)
def test_two_lines_are_exactly_two_sentences(text: str, kept: str | None) -> None:
    assert enforce(Brief(None, text, None, WHO)).two_liner == kept


@pytest.mark.parametrize(("given_count", "kept"), [(2, None), (3, 3), (4, 4), (6, 4)])
def test_an_elevator_pitch_has_three_or_four_sentences(given_count: int, kept: int | None) -> None:
    text = " ".join(f"Sentence number {number} says something." for number in range(given_count))
    elevator = enforce(Brief(None, None, text, WHO)).elevator
    assert (None if elevator is None else len(sentences(elevator))) == kept


def test_time_saved_is_reading_time_less_the_briefs() -> None:
    brief = Brief("five words are in here", "five words are in here", None, WHO)
    assert time_saved_seconds(300.0, brief, 200) == 300 - 3
    assert time_saved_seconds(1.0, brief, 200) == 0
