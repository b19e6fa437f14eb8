from pathlib import Path

import pytest

from actors.ai.standing import is_scrap, is_told_to_reader, leans, stands_alone

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


@pytest.mark.parametrize(
    ("sentence", "stands"),
    [
        pytest.param("The new version grinds 40 sacks of flour an hour for Orrin.", False, id="a subject told before"),
        pytest.param("The mill of Velm burned before Lind came home.", False, id="a last name"),
        pytest.param("In the autumn of that year, the company closed two of its shops in Orrin.", False, id="after an introduction"),
        pytest.param("On Monday, people from all over the valley came to Orrin.", False, id="a day is no name"),
        pytest.param("The mill of Velm burned before we came home.", False, id="its author speaks"),
        pytest.param("The 40 shops in the valley have closed since the war.", False, id="a number told before"),
        pytest.param("Bakers in Orrin know these mills from the days of the war.", False, id="pointing"),
        ("The mill grinds 40 sacks of flour an hour for the valley.", True),
        ("The wheel of Mara Lind turned for the last time in the autumn.", True),
        ("Mara Lind added that the river is too low in summer.", True),
        ("In the autumn of 2019, Mara Lind closed two of her shops.", True),
        ("About 40 shops in the valley have closed since the war.", True),
        ("A mill of Velm, built in 1890, grinds sacks of flour for all of Orrin.", True),
    ],
)  # fmt: skip
def test_a_sentence_stands_alone_if_it_names_its_subject_and_leans_on_no_other(sentence: str, stands: bool) -> None:
    assert stands_alone(sentence, TITLE, f"{DOCUMENT} {sentence}") is stands


def test_where_nouns_have_capitals_a_noun_is_no_name() -> None:
    document = "Die Mühle von Velm ist am Montag mit dem Rad und dem Haus verbrannt. Bäcker aus der Stadt holten das Mehl im Tal."
    assert stands_alone("Die Mühle hatte 40 Räder und ein Haus am Fluss.", "Mühle in Velm verbrannt", document)
    leaning = "Die Räder liefen im Herbst nur noch langsam im Fluss."
    assert not stands_alone(leaning, "Mühle in Velm verbrannt", document)
