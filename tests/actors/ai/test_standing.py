from pathlib import Path

import pytest

from actors.ai.standing import is_scrap, is_told_to_reader, leans, stands_alone

SAID = {
    head.strip("[]"): lines
    for head, *lines in map(
        str.splitlines, Path(__file__).with_name("standing.txt").read_text(encoding="utf-8").split("\n\n")
    )
}
LEANS, NAMES, SCRAPS, SPEECH = SAID.values()


@pytest.mark.parametrize("sentence", LEANS + NAMES)
def test_a_sentence_that_needs_the_one_before_it_leans_and_one_that_names_what_it_tells_of_does_not(
    sentence: str,
) -> None:
    assert leans(sentence) is (sentence in LEANS)


@pytest.mark.parametrize("sentence", SCRAPS + SPEECH + NAMES)
def test_a_scrap_and_a_speech_without_the_name_of_its_speaker_are_not_shown(sentence: str) -> None:
    assert is_scrap(sentence) is (sentence in SCRAPS)


def test_what_is_told_to_the_reader() -> None:
    assert is_told_to_reader("Your to-do list will shrink to 25% of its size.")
    assert not is_told_to_reader("Young people read 25% less.")


TITLE = "Mill of Velm burns"
DOCUMENT = (
    "The mill of Velm burned on Monday. Mara Lind runs the mill, and sells flour in Orrin. The new version of its wheel turns fast. "
    "A company owns it. Nobody likes the company. Nobody knows the company."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "The new version grinds 40 sacks of flour an hour for Orrin.",
        "The mill of Velm burned before Lind came home.",
        "The mill of Velm burned before the company paid its bakers.",
        "In the autumn of that year, the company closed two of its shops in Orrin.",
        "On Monday, people from all over the valley came to Orrin.",
        "The mill of Velm burned before we came home.",
        "“They grind it in a single night for all of the valley,” said Mara Lind, the miller.",
        "Bakers in Orrin know these mills from the days of the war.",
    ],
    ids=["a subject told before", "a last name", "a noun told before", "after an introduction", "a day is no name", "its author speaks", "in speech",
         "pointing"],
)  # fmt: skip
def test_a_sentence_about_what_was_told_before_does_not_stand_alone(sentence: str) -> None:
    assert not stands_alone(sentence, TITLE, f"{DOCUMENT} {sentence}")


@pytest.mark.parametrize(
    "sentence",
    [
        "The mill grinds 40 sacks of flour an hour for the valley.",
        "The wheel of Mara Lind turned for the last time in the autumn.",
        "Mara Lind added that the river is too low in summer.",
        "In the autumn of 2019, Mara Lind closed two of her shops.",
        "About 40 shops in the valley have closed since the war.",
        "A mill of Velm, built in 1890, grinds sacks of flour for all of Orrin.",
        "“Flour is dear in all of Orrin this year,” said the miller Mara Lind.",
    ],
)
def test_a_sentence_that_names_its_subject_stands_alone(sentence: str) -> None:
    assert stands_alone(sentence, TITLE, f"{DOCUMENT} {sentence}")


def test_where_nouns_have_capitals_a_noun_is_no_name() -> None:
    document = "Die Mühle von Velm ist am Montag mit dem Rad und dem Haus verbrannt. Bäcker aus der Stadt holten das Mehl im Tal."
    assert stands_alone("Die Mühle hatte 40 Räder und ein Haus am Fluss.", "Mühle in Velm verbrannt", document)
    assert not stands_alone(
        "Die Räder liefen im Herbst nur noch langsam im Fluss.", "Mühle in Velm verbrannt", document
    )
