from actors.insights.sketch import SIZE, sketch

WORDS = [f"word{n}" for n in range(3000)]


def test_a_text_has_the_same_sketch_on_every_machine() -> None:
    assert sketch("Acme buys Initech")[:2] == [7981561506670418109, 9212416088607529387]


def test_scripts_without_spaces_share_groups_of_letters() -> None:
    one = "纽约时报中文网报道前高管揭露内幕配合北京开发审查工具"
    other = "前高管揭露内幕:为配合北京而开发的审查工具,纽约时报中文网称"
    assert len(set(sketch(one)) & set(sketch(other))) >= 5


def test_no_text_has_more_terms_than_are_kept() -> None:
    assert sketch("") == sketch("the of and") == []
    assert len(sketch(" ".join(WORDS))) == SIZE
    assert len(sketch("\ud800 lone surrogate")) > 0
