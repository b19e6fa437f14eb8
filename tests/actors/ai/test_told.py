from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from tests.actors.ai.told import FOLDER, KINDS, stories

FROZEN = "e39ba40de676017e9ed9baf5c27f97550765c78dcb8152f4125613229eba29e2"


def test_the_frozen_half_is_as_it_was_before_the_rules_were_written() -> None:
    assert hashlib.sha256((FOLDER / "frozen.txt").read_bytes()).hexdigest() == FROZEN


@pytest.mark.parametrize("half", ["open", "frozen"])
def test_each_half_has_ten_forged_answers_of_each_kind_and_a_hundred_honest_ones(half: str) -> None:
    told = stories(half)
    assert Counter(kind for story in told for kind, _ in story.forged) == dict.fromkeys(KINDS, 10)
    assert sum(len(story.honest) for story in told) == 100
