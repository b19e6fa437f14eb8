"""The context of a highlight is the headings above it and the sentence before it."""

from time import process_time

import pytest

from actors.cli.story import context_line
from actors.insights.selection import Selection, highlights

FIGURE = "In the US, 74% of mobile users are young."
TEAMS = "Five teams compared two platforms."


def contexts(page: str) -> dict[str, tuple[tuple[str, ...], str]]:
    # If a text contains code, each of its sentences with a number can be a highlight.
    found = highlights(
        f"{page}\n\nIt has `load` and `dump`.\n", Selection(), "Comparing the best social media platforms"
    )
    return {one.summary: (tuple(one.context.headings), one.context.before or "") for one in found}


SHOWN = {
    "a paragraph's first sentence: the end of the paragraph before": (f"{TEAMS}\n\n", (), TEAMS),
    "not after an item": (f"- {TEAMS}\n\n", (), ""),
    "not after a table": (f"| {TEAMS} |\n\n", (), ""),
    "not over a heading": (f"{TEAMS}\n\n## Pinterest\n\n", ("Pinterest",), ""),
    "not a line in bold": (f"**{TEAMS}**\n\n", (), ""),
    "a line in bold as a heading": (f"{TEAMS}\n\n**The catch**\n\n", ("The catch",), ""),
    "not in an item after a paragraph": (f"{TEAMS}\n\n- ", (), ""),
    "the nearest two headings of its own section": (
        f"# Tests\n\n## Video\n\n### YouTube\n\n#### Cons\n\nIt is so.\n\n#### Pros\n\n{TEAMS} ",
        ("YouTube", "Pros"),
        TEAMS,
    ),
    "not the first line": ("# Tests\n\n", (), ""),
    "not what the title says": ("A.\n\n## Comparing social media platforms\n\n", (), ""),
    "not an invitation": ("A.\n\n## Subscribe to our newsletter\n\n", (), ""),
    "not a credit": ("A.\n\n## Photo: Getty Images\n\n", (), ""),
    "not a heading like an article": ("A.\n\n## " + "A heading like an article " * 6 + "\n\n", (), ""),
    "a heading as plain text": ("A.\n\n## All about `parse()`:\n\n", ("All about parse():",), ""),
    "a heading that is closed": ("A.\n\n## What is new in C# ##\n\n", ("What is new in C#",), ""),
    "a name that ends with #": ("A.\n\n## F#\n\n", ("F#",), ""),
    "a name that begins with #": ("A.\n\n## #metoo in figures\n\n", ("#metoo in figures",), ""),
    "not a # that links to the heading": ("A.\n\n## Installation#\n\n", ("Installation",), ""),
}


@pytest.mark.parametrize(("above", "headings", "before"), SHOWN.values(), ids=SHOWN)
def test_a_sentence_shows_its_headings_and_the_sentence_before_it(
    above: str, headings: tuple[str, ...], before: str
) -> None:
    assert contexts(f"{above}{FIGURE}\n") == {FIGURE: (headings, before)}


@pytest.mark.parametrize(
    "before",
    [
        "Subscribe to our newsletter for more. ",
        "He said “we are glad (of it. ",
        "Photo: Getty Images shows the team. ",
        "It ",
        # A fact check quotes this claim to refute the claim.
        "Claim: the vaccine has tiny chips in it. ",
        "## Claim: the vaccine has chips\n\n",
    ],
)
def test_what_must_not_be_shown_is_in_no_context_and_costs_no_highlight(before: str) -> None:
    figure = "Doctors at the hospital found that 92% of patients recovered faster than before."
    found = contexts(f"What the posts say about the new vaccine.\n\n{before}{figure}\n")
    assert set(found.values()) <= {((), "")}
    assert figure in found or "Claim" not in before


def test_a_sentence_that_is_a_highlight_is_in_no_context() -> None:
    page = "Latency fell by 40% in the new release. Memory use fell by 12% at the same load of work."
    assert list(contexts(page).values()) == [((), "")] * 2


def test_a_page_with_a_symbol_on_each_line_is_read_in_no_time() -> None:
    began = process_time()
    assert contexts("Acme has a new parser that " + "\u2605\n" * 30_000 + "needs no tables.") == {}
    assert process_time() - began < 3  # An earlier version took 15 seconds.


def test_a_person_may_keep_anything_in_the_metadata_of_a_highlight() -> None:
    told = {"headings": ["Pros", "Speed"], "before": "It is new."}
    assert context_line({"context": told}) == "[Pros > Speed] It is new."
    odd = [{"headings": [], "before": None}, {"headings": "Pros", "before": 3}, {"headings": [1], "before": None}]
    for metadata in ({}, *({"context": one} for one in (None, "seen on the train", ["a", "b"], *odd))):
        assert context_line(metadata) == "", metadata
