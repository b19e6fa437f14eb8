"""Two outlets report one event in different words, while other events share people and places.

``same_event.txt`` has ten events: ``# `` begins an event, ``= `` a headline about the event, and ``! `` a headline
about another one. Authors of rules looked at the first five events only.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.insights.events import _names_differ


@dataclass(frozen=True)
class Telling:
    event: str
    is_of_it: bool
    title: str
    document: str


def tellings() -> list[list[Telling]]:
    text = Path(__file__).with_name("same_event.txt").read_text(encoding="utf-8")
    found = []
    for part in text[2:].split("\n\n# "):
        event, *lines = part.strip().split("\n")
        pairs = zip(lines[::2], lines[1::2], strict=True)
        found.append([Telling(event, head.startswith("= "), head[2:], body) for head, body in pairs])
    return found


@pytest.mark.quality
@pytest.mark.parametrize("half", ["choosing", "reporting"])
def test_few_common_words_do_not_hide_one_event_nor_common_people_make_one(
    half: str, add_story: Any, analyse: Any, rows: Any, figure: Any
) -> None:
    told = [one for event in tellings()[slice(5) if half == "choosing" else slice(5, None)] for one in event]
    stories = [add_story(one.document, title=one.title) for one in told]
    for story in stories:
        analyse(story)
    cluster = {row["id"]: row["cluster_id"] for row in rows("SELECT id, cluster_id FROM stories")}
    found, wrong = 0, []
    for (one, mine), (other, its) in itertools.combinations(zip(told, stories, strict=True), 2):
        if cluster[str(mine)] is not None and cluster[str(mine)] == cluster[str(its)]:
            is_true = one.event == other.event and one.is_of_it and other.is_of_it
            found += is_true
            wrong += [] if is_true else [(one.title, other.title)]
    figure(f"same event in other words ({half} half), found of 5", found / 5, before=0)
    assert wrong == []


CRANES = (
    "Port of Hallin closes two cranes",
    "The port of Hallin closed two cranes on Monday after inspectors found cracks.",
)


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        (
            ("Cracks found in Hallin's harbour cranes", "Two cranes in Hallin harbour have been taken out of service."),
            False,
        ),
        (("Port of Corin closes two cranes", "The port of Corin closed two cranes on Monday."), True),
        (("Hallin and Corin join their ports", "The ports of Hallin and Corin become one on Monday."), False),
        (("Two cranes closed", "The port of Hallin closed two cranes."), False),
        (("Hallin Port Closes Two Cranes After Cracks", "The port of Hallin closed two cranes."), False),
    ],
)
def test_names_of_two_headlines_tell_one_event_from_another(other: tuple[str, str], differ: bool) -> None:
    one, two = (SimpleNamespace(title=title, document=text) for title, text in (CRANES, other))
    assert _names_differ(cast("Any", one), cast("Any", two)) is differ
    assert _names_differ(cast("Any", two), cast("Any", one)) is differ
