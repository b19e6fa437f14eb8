from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from actors.insights.sketch import SIZE, sketch

if TYPE_CHECKING:
    import random

WORDS = [f"word{n}" for n in range(3000)]
DEAL = "Acme buys Initech for two billion dollars in cash"


def test_a_text_has_the_same_sketch_on_every_machine() -> None:
    assert sketch("Acme buys Initech")[:2] == [7981561506670418109, 9212416088607529387]


def test_texts_that_share_words_share_terms_whatever_stands_between() -> None:
    other = "In cash, for two billion dollars, Acme buys all of Initech"
    assert set(sketch(DEAL)) & set(sketch(other))
    assert not set(sketch(DEAL)) & set(sketch("Rain will fall over the coast until the weekend"))


def test_a_short_text_is_found_by_its_words_in_any_order() -> None:
    assert len(set(sketch("Initech bought by Acme")) & set(sketch("Acme buys Initech"))) >= 2


def test_scripts_without_spaces_share_groups_of_letters() -> None:
    one = "纽约时报中文网报道前高管揭露内幕配合北京开发审查工具"
    other = "前高管揭露内幕:为配合北京而开发的审查工具,纽约时报中文网称"
    assert len(set(sketch(one)) & set(sketch(other))) >= 5


def test_no_text_has_more_terms_than_are_kept() -> None:
    assert sketch("") == sketch("the of and") == []
    assert len(sketch(" ".join(WORDS))) == SIZE
    assert len(sketch("\ud800 lone surrogate")) > 0


@given(st.randoms(use_true_random=False), st.integers(5, 10))
def test_of_what_two_long_texts_share_both_keep_the_same(chance: random.Random, tenths: int) -> None:
    common = chance.sample(WORDS, 15 * tenths)
    one, other = (" ".join([*common, *chance.sample(WORDS, 150 - 15 * tenths)]) for _ in range(2))
    alike = tenths / (20 - tenths)  # of all pairs of both, the share that both have
    assert len(set(sketch(one)) & set(sketch(other))) >= SIZE * alike * 0.3
