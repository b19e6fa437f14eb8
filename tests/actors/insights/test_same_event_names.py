"""Two outlets tell of one event in few common words; other events have the same people and places."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.insights.events import _names_agree

CRANES = (
    "Port of Hallin closes two cranes",
    "The port of Hallin closed two cranes on Monday after inspectors found cracks.",
)


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (
            ("Cracks found in Hallin's harbour cranes", "Two cranes in Hallin harbour have been taken out of service."),
            1,
        ),
        (("Port of Corin closes two cranes", "The port of Corin closed two cranes on Monday."), -1),
        (("Hallin and Corin join their ports", "The ports of Hallin and Corin become one on Monday."), 0),
        (("Two cranes closed", "The port of Hallin closed two cranes."), 0),
        (("Hallin Port Closes Two Cranes After Cracks", "The port of Hallin closed two cranes."), 1),
    ],
)
def test_names_of_two_headlines_tell_one_event_from_another(other: tuple[str, str], verdict: int) -> None:
    one, two = (SimpleNamespace(title=title, document=text) for title, text in (CRANES, other))
    assert _names_agree(cast("Any", one), cast("Any", two)) == verdict
    assert _names_agree(cast("Any", two), cast("Any", one)) == verdict
