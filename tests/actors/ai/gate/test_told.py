"""The rules refuse enough forged answers and keep enough honest ones; ``nox -s quality`` prints the lists."""

import hashlib
import uuid
from collections import Counter

import pytest

from actors.ai import gate
from actors.ai.protocol import Story
from tests.actors.ai.gate.told import BY_RULE, FOLDER, stories
from tests.figures import Figure

FROZEN = {
    "frozen": "e39ba40de676017e9ed9baf5c27f97550765c78dcb8152f4125613229eba29e2",
    "mixed-frozen": "c08808afebe216ab477c346035497148438a208bcd62164750868a4b36c90e16",
    "later": "e7bac2bdb25cd3714778a1887e9ce6bf0a1dfa59528eba84f6b3bc7f55c82fbd",
    "held-out": "910aad348f19056a67d66045fca93a4617477471d1826ed85c5a8309bce828ce",
}


@pytest.mark.parametrize(("half", "known"), FROZEN.items())
def test_a_frozen_file_is_as_it_was_before_the_rules_were_written(half: str, known: str) -> None:
    assert hashlib.sha256((FOLDER / f"{half}.txt").read_bytes()).hexdigest() == known


#: BEFORE has the shares at commit ed24dd87, measured on the held-out stories alone.
BEFORE = {"quote": 18 / 18, "number": 25 / 28, "name": 24 / 30, "date": 10 / 17, "honest": 135 / 150, "stories": 18}


@pytest.mark.quality
@pytest.mark.parametrize(
    ("half", "honest"),
    [
        ("open", 0.96),
        ("frozen", 0.96),
        ("mixed-open", 0.9),
        ("mixed-frozen", 0.97),
        ("held-out", 0.97),
        ("later", 0.97),
    ],
)
def test_the_rules_refuse_what_a_story_has_not_and_keep_honesty(half: str, honest: float, figure: Figure) -> None:
    before = BEFORE if half == "held-out" else {}
    refused: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    whole = 0
    told_of = stories(half)
    for told in told_of:
        story = Story(uuid.UUID(int=1), told.title, told.text)
        known = refused["honest"]
        for kind, text in (*told.forged, *(("honest", text) for text in told.honest)):
            fault = gate.fault(text, story)
            asked[kind] += 1
            refused[kind] += fault is not None
            print(f"  {'refused' if fault else 'kept':7} {kind:13} {text}  {(fault or '').rpartition('”: ')[2]}")
        whole += refused["honest"] == known
    print(f"{half}: " + ", ".join(f"{kind} {refused[kind]} of {count} refused" for kind, count in asked.items()))
    by_rule = [kind for kind in asked if kind in BY_RULE]
    if by_rule:
        share = sum(refused[kind] for kind in by_rule) / sum(asked[kind] for kind in by_rule)
        figure(f"forged numbers, dates, names and quotations, {half}, refused", share, 0.97)
    for kind in before.keys() & by_rule:
        figure(f"forged {kind}, {half}, refused by the rules", refused[kind] / asked[kind], 0.97, before=before[kind])
    kept = 1 - refused["honest"] / asked["honest"]
    figure(f"honest answers, {half}, kept by the rules", kept, honest, before=before.get("honest"))
    least = 27 if before else None
    figure(
        f"stories with all honest answers kept, {half}, of {len(told_of)}", whole, least, before=before.get("stories")
    )
