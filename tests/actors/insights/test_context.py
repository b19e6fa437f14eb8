"""The context of a highlight is the headings above it and the sentence before it."""

from time import process_time

import pytest

from actors.cli.story import context_line
from actors.insights.selection import Selection, highlights

TITLE = "Comparing the best social media platforms"
PAGE = """# Comparing the best social media platforms

Two platforms, compared by a team of five.

## YouTube

### Pros

YouTube is the fourth most favoured channel of advertisers. In the US, 74% of users access the platform on mobile devices.

## Pinterest

### Pros

**The catch**

The average age is 40% higher than elsewhere, said nobody.
"""


def contexts(page: str, title: str = "") -> dict[str, tuple[tuple[str, ...], str]]:
    # If a text contains code, each of its sentences with a number can be a highlight.
    page += "\n\nIt has `load` and `dump`.\n"
    return {
        one.summary: (tuple(one.context.headings), one.context.before or "")
        for one in highlights(page, Selection(), title)
    }


def test_a_sentence_shows_its_headings_and_the_sentence_before_it() -> None:
    found = contexts(PAGE, TITLE)
    told = (("YouTube", "Pros"), "YouTube is the fourth most favoured channel of advertisers.")
    assert found["In the US, 74% of users access the platform on mobile devices."] == told


FIGURE = "In the US, 74% of mobile users are young."


@pytest.mark.parametrize(
    ("above", "shown"),
    [
        ("Five teams compared two platforms.", "Five teams compared two platforms."),
        ("- Five teams compared two platforms.", ""),
        ("| Five teams compared two platforms. |", ""),
        ("Five teams compared two platforms.\n\n## Pinterest", ""),
        ("**Five teams compared two platforms.**", ""),
        ("Five teams compared two platforms.\n-", ""),
    ],
    ids=["a paragraph", "an item", "a table", "a heading", "a line in bold", "a paragraph above an item"],
)
def test_a_paragraphs_first_sentence_shows_the_end_of_the_paragraph_before(above: str, shown: str) -> None:
    page = f"{above} {FIGURE}\n" if above.endswith("-") else f"{above}\n\n{FIGURE}\n"
    assert [before for _, before in contexts(page).values()] == [shown]


@pytest.mark.parametrize(
    ("above", "shown"),
    [
        ("## Comparing social media platforms", ()),  # The title says as much as the heading.
        ("## Subscribe to our newsletter", ()),
        ("## Photo: Getty Images", ()),
        ("## All about `parse()`:", ("All about parse():",)),
        ("## What is new in C# ##", ("What is new in C#",)),
        ("## F#", ("F#",)),
        ("## #metoo in figures", ("#metoo in figures",)),
        ("## Installation#", ("Installation",)),  # The trailing # links to the heading.
        ("## " + "A heading like an article " * 6, ()),
    ],
)
def test_a_heading_that_says_nothing_new_is_not_shown(above: str, shown: tuple[str, ...]) -> None:
    page = f"A beginning.\n\n{above}\n\n{FIGURE}\n"
    assert contexts(page, TITLE) == {FIGURE: (shown, "")}


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
    assert [before for _, before in contexts(page).values()] == ["", ""]


def test_a_page_with_a_symbol_on_each_line_is_read_in_no_time() -> None:
    page = "Acme has a new parser that " + "\u2605\n" * 30_000 + "needs no tables."
    began = process_time()
    assert contexts(page) == {}
    assert process_time() - began < 3  # An earlier version took 15 seconds.


def test_a_person_may_keep_anything_in_the_metadata_of_a_highlight() -> None:
    told = {"headings": ["Pros", "Speed"], "before": "It is new."}
    assert context_line({"context": told}) == "[Pros > Speed] It is new."
    odd = [{"headings": [], "before": None}, {"headings": "Pros", "before": 3}, {"headings": [1], "before": None}]
    for metadata in ({}, *({"context": one} for one in (None, "seen on the train", ["a", "b"], *odd))):
        assert context_line(metadata) == "", metadata
