from __future__ import annotations

import time
import uuid

import pytest

from actors.ai import gate
from actors.ai.protocol import Story

STORY = (
    "Orbis ordered 24 mills from Kessler for $190 million and 6 docks from Bruno for $74 million. "
    "Last winter 212 mills stood still because their bearings froze, and 41 because workers were ill. "
    "In Lissen costs rose by 12 percent; in Marn they fell by 3 percent. “We never look back at all,” said Ida Brandt. "
    "The council of Velm rejected a plan to close the old dock. The output of the mills fell sharply in May. It started in version 2.14.3 of the plan. "
    "The mills run from March 2027; the docks open a year later. Ken Holt owns a yard in Tarn. He employs 95 people there. "
    "The union paid 6 million crowns for the yard, the state 9 million crowns."
)


def fault(text: str) -> str | None:
    return gate.fault(text, Story(uuid.UUID(int=1), "Orbis orders mills", STORY))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Orbis ordered 6 mills from Kessler.", "gives 6 to something else"),
        ("The docks of Bruno cost $190 million.", "gives $190 million to something else"),
        ("Last winter 41 mills stood still because their bearings froze.", "gives 41 to something else"),
        ("In Marn costs rose by 12 percent.", "gives 12 percent to something else"),
        ("Workers were ill because the bearings froze.", "names this cause for something else"),
        ("“We never look back at all,” the city's council said.", "does not give these words to the city's council"),
        ("The output of mills rose sharply in May.", "says the opposite of “rose”"),
        ("The docks open in March 2027.", "gives this date to something else"),
        ("Ida Brandt owns a yard in Tarn.", "does not name"),
        ("Orbis ordered mills because the yard is in Tarn.", "does not tell this cause"),
        ("The state paid 6 million crowns for the yard.", "to something else"),
    ],
)
def test_facts_of_the_story_that_are_put_together_wrongly_are_refused(text: str, wrong: str) -> None:
    assert wrong in (fault(text) or "")


@pytest.mark.parametrize(
    "text",
    [
        "Orbis ordered 24 mills from Kessler.",
        "Bruno delivers 6 docks, which cost $74 million.",
        "Another 41 mills stood still because workers were ill.",
        "In Lissen costs rose by 12 percent, while they fell by 3 percent in Marn.",
        "Because bearings froze, 212 mills stood still last winter.",
        "“We never look back at all,” Ida Brandt said.",
        "The council of Velm rejected a plan to close the dock.",
        "The plan started in version 2.14.3.",
        "Orbis ordered 30 mills and docks for $264 million.",
        "The mills run from March 2027.",
        "Ken Holt employs 95 people in Tarn.",
        "The state paid 9 million crowns for the yard.",
    ],
)
def test_what_the_story_says_in_other_words_is_kept(text: str) -> None:
    assert fault(text) is None


@pytest.mark.parametrize(
    "unit",
    [
        "half third of ",
        "A of B and C for D ",
        "Orbis ordered 24 mills in May. ",
        "May 1 March 2 ",
        "“a ",
        "1,",
        "1, 2, ",
        "Orbis of Velm, ",
        "a, b and ",
    ],
)
def test_a_hostile_page_of_sixty_thousand_characters_takes_no_square_time(unit: str) -> None:
    page = unit * (60_000 // len(unit))
    begin = time.process_time()
    answer = "Orbis of NASA ordered 24 mills in May for $3 billion because Ida Brandt said “we never look”, and not Ken Holt."
    gate.fault(answer, Story(uuid.UUID(int=2), "Orbis orders mills", page))
    assert time.process_time() - begin < 4
