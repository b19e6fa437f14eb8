"""The rows of the page."""

from __future__ import annotations

from tests.lab.chaos.outcome import Outcome, Promise, merged

ORDER = ["first", "second", "third"]


def outcome(name: str, sent: int) -> Outcome:
    return Outcome(name, "something", sent=sent, finished=sent, promises=(Promise("nothing lost", held=True),))


def test_a_run_of_all_replaces_the_page() -> None:
    text = merged("Old words.", [outcome("first", 1)], "A machine.", ORDER)
    assert text.startswith("A machine.\n\n| scenario |")
    assert "| `first` | — → — → — |  | 1 = 1 + 0 | 0, 0 (0 run again) | held |\n" in text
    assert text.endswith("- `first`: something. Required: nothing lost.")


def test_a_run_of_some_keeps_the_rows_of_the_others() -> None:
    page = merged("", [outcome("third", 3), outcome("first", 1)], "A machine.", ORDER)
    page = merged(page, [outcome("second", 2)], "Another.", ORDER)
    page = merged(page, [outcome("second", 4), outcome("third", 5)], "A third.", ORDER)
    assert page.startswith("A machine.\n\n`second`, `third`: A third.\n\n| scenario |")
    assert [line[:10] for line in page.splitlines() if line.startswith("| `")] == [
        "| `first` ",
        "| `second`",
        "| `third` ",
    ]
    assert all(f"{n} = {n} + 0" in page for n in (1, 4, 5))
    assert "2 = 2" not in page
    assert page.count("Required: ") == 3
