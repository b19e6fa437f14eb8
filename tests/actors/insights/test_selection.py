from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from actors.insights.selection import Selection, highlights

ARTICLE = Path(__file__).with_name("article.txt").read_text(encoding="utf-8")

PIECES = st.sampled_from(
    [
        "It is **42% faster** than before, down from 120 ms.",
        "The `x` parameter is removed.",
        "> A quotation that has more than eight words in it, said he.",
        "```python\na = 1\nb = 2\n```",
        "```\nunclosed",
        "- Upgrade to 3.1 now.",
        "ORRIN, Velm (ABC) \N{EM DASH} The dam of Orrin broke after nine nights of rain in Velm.",
        "# A heading",
        "She said, “we never expected it to work on the first day”.",
        "| a | b |",
        "Why does it matter to anyone at all today?",
        "Ärger mit Übergrößen \N{WORD JOINER}und fancy text.",
        "",
        "\t  ",
    ]
)


@given(st.lists(PIECES | st.text(max_size=80), max_size=25).map("\n\n".join), st.integers(1, 50))
def test_every_quote_is_a_verbatim_piece_of_the_document(document: str, total: int) -> None:
    found = highlights(document, Selection(total=total))
    assert len(found) <= total
    for candidate in found:
        assert document[candidate.start : candidate.end] == candidate.quote
        assert candidate.summary.strip()
        assert candidate.quote.strip()


def kinds(document: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for candidate in highlights(document, Selection()):
        found.setdefault(candidate.kind, []).append(candidate.summary)
    return found


def test_one_of_everything() -> None:
    found = kinds(ARTICLE)
    assert found["metric"] == [
        "The team rewrote the parser, and it now decodes 42% faster than before, down from 120 ms to 70 ms."
    ]
    assert found["quote"][0].startswith('"We did not expect')
    assert found["api_change"] == [
        "The strict parameter of loads() is removed.",
        'Callers must now pass mode="strict".',
    ]
    assert found["code_change"] == ["With the new release it becomes:"]
    assert found["code_example"] == ["python code under “How to use it”"]
    assert found["action"] == ["You should upgrade to 3.14.1 before the end of May."]


TOWN = [
    "The dam of Orrin broke in the night after the heaviest rain that the valley of the town has seen for years.",
    "The council of Orrin moved the families of the valley to schools while the rain went on and the dam gave way.",
    "The rain in the valley of Orrin fell for nine nights, and the dam had been built for a town with half of its families.",
    "For years nobody had built schools, and nine nights of the heaviest rain gave the council half of the work that it has seen.",
]


@pytest.mark.parametrize(
    "added",
    [
        "A bakery in Elm Street sells 30% more loaves than in spring.",
        "**About Orrin Mills**\n\nOrrin Mills is a mill of Orrin that sells flour to 30% of families after nine nights of rain.",
        "Flour of Orrin families rose by 30% after nine nights of rain. It is dear for the families of the town. Read the whole of it…",
    ],
    ids=["a remark by the way", "about a company", "a teaser"],
)
def test_what_does_not_belong_to_the_story_is_no_highlight(added: str) -> None:
    title = "Dam of Orrin breaks in the night"
    kept = "Rain cost 300 families of Orrin 30% of all flour that Mara Lind had put into schools."
    document = "\n\n".join([*TOWN, kept])
    assert [each.summary for each in highlights(document, Selection(), title) if each.kind == "metric"] == [kept]
    found = [each.quote for each in highlights(f"{document}\n\n{added}", Selection(), title)]
    assert kept in found
    assert [quote for quote in found if quote in added] == []


def test_a_page_that_begins_with_no_sentence_still_has_highlights() -> None:
    page = "\n\n".join(["Orrin, the valley, the town and the rain in the dam", f"**{NEWS[0]} {TOWN[1]}**"])
    assert [each.summary for each in highlights(page, Selection(), "Talsperre gebrochen, Tal evakuiert")] == NEWS[:1]


def test_no_highlight_says_what_the_headline_or_the_one_liner_says_or_is_general() -> None:
    told = (
        "The dam of Orrin broke after nine nights of rain, and the 40 mills of Velm stand in the water of the valley."
    )
    general = (
        "A dam in a valley is a work of many years for all people who live near it and pay for water with their taxes."
    )
    new = "Mara Lind, the mayor, kept 300 families from below the dam of Orrin in schools for nine nights of rain."
    again = "The dam of Orrin broke in the dark, and the 40 mills of Velm stand in the water."
    document = f"{told}\n\n{new}\n\n{general}\n\n{again}"
    assert [each.summary for each in highlights(document, Selection(), "A new dam for Orrin", told)] == [new]


NEWS = [
    "The heaviest rain for 40 years broke a dam of Orrin in the night of Monday.",
    "Mara Lind moved 300 families out of Orrin before her sister Ada saw the dam give way.",
    "Engineers of Velm Works measured 40% more water behind the dam of Orrin than in 2019.",
    "“A dam of that age holds for a hundred years if somebody looks after it,” said Ada Kern of Velm Works.",
]


GUIDE = "How to live with a dam of Orrin"
BESIDE = "A bakery in Elm Street sells 30% more loaves than in spring."
NO_FIGURES = [
    "Engineers of Velm Works built the dam of Orrin of 100% recycled stone.",
    "Engineers of Velm Works rose to the dam of Orrin in the 80s and 1990s.",
    "Engineers of Velm Works show a 75% RGB light of Ansel at the dam of Orrin.",
]
FURTHER = "Engineers of Velm Works found 20% less sand in front of the dam of Orrin."


@pytest.mark.parametrize(
    ("title", "told", "shown"),
    [
        ("Dam of Orrin breaks", NEWS, NEWS[:3]),
        ("Dam of Orrin breaks", [*NEWS[:2], NEWS[2].replace("dam", "`dam`"), NEWS[3]], NEWS[:3]),
        (GUIDE, NEWS, [NEWS[2]]),
        (GUIDE, [*NEWS, FURTHER], [NEWS[2]]),
        (GUIDE, [*NEWS[:2], NEWS[3]], []),
        (GUIDE, [NEWS[2].replace("Engineers of Velm Works", "The engineers of Velm Works")], []),
        (GUIDE, [NEWS[2].replace("dam of Orrin", "mill")], []),
        (GUIDE, [*NEWS[:2], *NO_FIGURES], []),
        (GUIDE, [*TOWN, BESIDE], []),
    ],
    ids=[
        "news",
        "one name in code",
        "a guide",
        "two figures",
        "no figure",
        "a figure of one of several items",
        "a figure without a word of the headline",
        "figures that say nothing",
        "a figure beside the topic",
    ],
)
def test_a_text_without_code_shows_its_best_sentences_and_a_guide_one_figure(
    title: str, told: list[str], shown: list[str]
) -> None:
    found = highlights("\n\n".join(told), Selection(), title)
    assert [each.summary for each in found] == shown


def test_a_guide_with_code_shows_no_instruction_and_no_general_sentence() -> None:
    wide = Selection(limits={"action": 9, "insight": 9, "metric": 9})
    beside = "Tom Reed of Ansel sold forty cars to Eve Hart on a cold and quiet Friday."
    document = f"{ARTICLE}\n{beside}\n"
    news, guide = (
        {each.kind for each in highlights(document, wide, title)} for title in ("JSON in Python", "How to parse JSON")
    )
    assert (news, guide) == ({"action", "insight", "metric"}, {"metric"})
    assert beside not in [each.summary for each in highlights(document, wide)]


@pytest.mark.parametrize(
    ("sentence", "is_shown"),
    [
        ("Mara Lind moved 300 families out of Orrin before the dam gave way.", True),
        ("Moved by night, they came to Orrin with 300 families from below the dam.", False),
        ("Mara Lind moved families out of Orrin before the dam gave way.", False),
        ("Dam works moved 300 families out of 40 houses in Orrin before the rain.", True),
        ("Dam works moved 300 families out of houses in Orrin before the rain.", False),
        ("Dam works moved 300 families and 40 cows out of Lind\u2019s Orrin before the rain.", False),
        ("Lind moved 300 families out of 40 houses in Orrin before the dam gave way.", False),
        ("Dam works moved 300 families out of Lind\u2019s 40 houses in Orrin before the rain.", False),
        ("Years ago Mara Lind moved 300 families out of Orrin below the dam.", True),
        ("While the dam of Orrin held, Mara Lind moved 300 families out of Velm.", False),
        ("Velm Works is dedicated to 300 families below the dam of Orrin.", False),
        ("Five years ago Mara Lind moved 300 families out of Orrin below the dam.", False),
        ("“A dam saved 300 families in 40 houses of Orrin,” said Mara Lind.", False),
        ("Sadly, 300 families of Orrin had no school while the dam gave way in Velm.", False),
    ],
)
def test_a_highlight_of_a_text_without_code_stands_alone_and_tells_news(sentence: str, is_shown: bool) -> None:
    document = f"{NEWS[0]}\n\n{sentence}\n\nMara Lind is the mayor."
    found = highlights(document, Selection(), "Dam of Orrin breaks")
    assert (sentence in [each.summary for each in found]) is is_shown


def test_the_end_of_a_long_text_tells_about_its_author_and_gives_no_highlight() -> None:
    filler = "\n\n".join(f"Nobody said more of it in street {number}." for number in range(8))
    author = "Ada Kern of Orrin has written of dams and rain for 20% of her life."
    for document, is_shown in ((f"{NEWS[0]}\n\n{author}", True), (f"{NEWS[0]}\n\n{filler}\n\n{author}", False)):
        found = [each.summary for each in highlights(document, Selection(), "Dam of Orrin breaks")]
        assert (author in found) is is_shown


@pytest.mark.parametrize(
    ("introduction", "shown"),
    [
        ("The server parses every request of a client.", "The server parses every request of a client."),
        ("Let's check out the code it generated.", "python code under “JSON”"),
        ("Here is how a server uses it:", "python code under “JSON”"),
    ],
)
def test_a_sentence_that_only_points_to_the_code_is_replaced_by_the_heading(introduction: str, shown: str) -> None:
    code = f"{introduction}\n\n```python\nimport json\nprint(json)\nprint(1)\n```"
    assert kinds(f"# JSON\n\n{code}")["code_example"] == [shown]
    assert "code_example" not in kinds(code) or shown == introduction


def test_code_keeps_its_lines_and_indentation() -> None:
    (code,) = [each for each in highlights(ARTICLE, Selection()) if each.kind == "code_example"]
    assert code.quote == "import json\ndef handler(req):\n    return json.loads(req.body)"
    assert (code.language, code.heading) == ("python", "How to use it")


def test_long_code_is_cut_after_a_whole_line() -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(500))
    (found,) = highlights(f"## Lines\n\n```python\n{code}\n```", Selection(max_quote=300))
    assert len(found.quote) <= 300
    assert code.startswith(found.quote + "\n")


def test_a_text_in_another_language_gives_its_code_shares_and_central_sentences() -> None:
    text = (
        "Die neue Version ist 42 % schneller als zuvor. Der Index braucht weniger Speicher als jede andere Version, die davor kam.\n\n"
        "## So geht es\n\n```sql\nSELECT 1;\nSELECT 2;\n```"
    )
    assert set(kinds(text)) == {"metric", "insight", "code_example"}
