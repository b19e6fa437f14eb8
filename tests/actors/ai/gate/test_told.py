"""Shares of forged answers refused and honest ones kept; ``nox -s quality`` prints both lists."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from actors.ai import gate
from actors.ai.protocol import Story
from tests.actors.ai.gate.told import FOLDER, KINDS, Told, stories

if TYPE_CHECKING:
    from collections.abc import Callable

FROZEN = {
    "frozen": "e39ba40de676017e9ed9baf5c27f97550765c78dcb8152f4125613229eba29e2",
    "mixed-frozen": "c08808afebe216ab477c346035497148438a208bcd62164750868a4b36c90e16",
}
HALVES = ["open", "frozen"]
MIXED = ["mixed-open", "mixed-frozen"]


@pytest.mark.parametrize(("half", "known"), FROZEN.items())
def test_a_frozen_half_is_as_it_was_before_the_rules_were_written(half: str, known: str) -> None:
    assert hashlib.sha256((FOLDER / f"{half}.txt").read_bytes()).hexdigest() == known


@pytest.mark.parametrize("half", HALVES)
def test_each_half_has_ten_forged_answers_of_each_kind_and_a_hundred_honest_ones(half: str) -> None:
    told = stories(half)
    assert Counter(kind for story in told for kind, _ in story.forged) == dict.fromkeys(KINDS, 10)
    assert sum(len(story.honest) for story in told) == 100


@pytest.mark.parametrize("half", MIXED)
def test_each_half_has_thirty_answers_that_put_facts_together_wrongly_and_thirty_honest_ones(half: str) -> None:
    told = stories(half)
    assert sum(len(story.twisted) for story in told) == 30
    assert sum(len(story.honest) for story in told) >= 30


@pytest.mark.quality
@pytest.mark.parametrize("half", [*HALVES, *MIXED])
def test_forged_answers_are_refused_and_honest_ones_kept(
    half: str, figure: Callable[[str, float, float], None]
) -> None:
    forged, twisted, honest = [], [], []
    for told in stories(half):
        forged += [(kind, text, _fault(told, text)) for kind, text in told.forged]
        twisted += [(kind, text, _fault(told, text)) for kind, text in told.twisted]
        honest += [("honest", text, _fault(told, text)) for text in told.honest]
    for kind, text, fault in [*forged, *twisted, *honest]:
        reason = (fault or "").rpartition("\u201d: ")[2]
        print(f"\n  {'refused' if fault else 'kept':7} {kind:13} {text}  {reason}", end="")
    refused, kept = sum(bool(fault) for _, _, fault in forged), sum(not fault for _, _, fault in honest)
    caught = sum(bool(fault) for _, _, fault in twisted)
    print(f"\n{half}: {refused} of {len(forged)} forged refused, {kept} of {len(honest)} honest kept")
    print(f"of facts put together wrongly, {caught} of {len(twisted)} refused")
    if forged:
        figure(f"forged answers, {half} half, refused", refused / len(forged), 0.99)
    figure(f"facts put together wrongly, {half} half, refused", caught / len(twisted), 0)
    figure(f"honest answers, {half} half, kept", kept / len(honest), 0.97 if half in HALVES else 0)


def _fault(told: Told, text: str) -> str | None:
    return gate.fault(text, Story(uuid.UUID(int=1), told.title, told.text))
