"""A highlight shows what stands above and before it, so that a reader knows of what it speaks."""

from __future__ import annotations

import pytest

from actors.insights.selection import Selection, highlights

TITLE = "Comparing the best social media platforms"
PAGE = """# Comparing the best social media platforms

Two platforms, compared by a team of five.

## YouTube

### Pros

YouTube is the fourth most favoured channel of advertisers. In the US, 74% of users access the platform on mobile devices.

## Pinterest

### Pros

Pinterest has two advantages:

- **Cost:** The average cost of a conversion is below $2 and fell by 20% in a year.
- Shoppers there know what they like, and 80% of them buy at once.

**The catch**

The average age is 40% higher than elsewhere, said nobody.
"""


def contexts(page: str, title: str = "") -> dict[str, tuple[tuple[str, ...], str]]:
    return {one.summary: (one.context.headings, one.context.before) for one in highlights(page, Selection(), title)}


def test_a_sentence_shows_its_headings_and_the_sentence_before_it() -> None:
    assert contexts(PAGE, TITLE)["In the US, 74% of users access the platform on mobile devices."] == (
        ("YouTube", "Pros"),
        "YouTube is the fourth most favoured channel of advertisers.",
    )


def test_an_item_of_a_list_shows_the_line_that_introduces_the_list() -> None:
    found = contexts(PAGE, TITLE)
    introduced = (("Pinterest", "Pros"), "Pinterest has two advantages:")
    assert found["Shoppers there know what they like, and 80% of them buy at once."] == introduced


def test_a_line_in_bold_is_a_heading() -> None:
    found = contexts(PAGE, TITLE)
    assert found["The average age is 40% higher than elsewhere, said nobody."] == (("Pros", "The catch"), "")


@pytest.mark.parametrize(
    ("above", "shown"),
    [
        ("## Comparing social media platforms", ()),  # nothing that the title does not say
        ("## Mobile users in the US", ()),  # nothing that the highlight does not say
        ("## Subscribe to our newsletter", ()),
        ("## Photo: Getty Images", ()),
        ("## What is `X`?", ("What is X?",)),
        ("## " + "A heading like an article " * 6, ()),
    ],
)
def test_a_heading_that_says_nothing_new_is_not_shown(above: str, shown: tuple[str, ...]) -> None:
    page = f"A beginning.\n\n{above}\n\nIn the US, 74% of mobile users are young.\n"
    assert contexts(page, TITLE) == {"In the US, 74% of mobile users are young.": (shown, "")}
