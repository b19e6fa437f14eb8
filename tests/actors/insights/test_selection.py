import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from actors.ai.markdown import blocks
from actors.cli.story import context_line
from actors.demo.sample_site import render
from actors.engine.pages import read_page
from actors.insights.candidates import Candidate
from actors.insights.selection import Selection, has_code, highlights
from tests.actors.insights.conftest import ARTICLE
from tests.each import cases

PIECES = [
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


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=80), max_size=25).map("\n\n".join), st.integers(1, 50))
def test_every_quote_is_a_verbatim_piece_of_the_document(document: str, total: int) -> None:
    found = highlights(document, Selection(total=total))
    assert len(found) <= total
    for candidate in found:
        assert document[candidate.start : candidate.end] == candidate.quote
        assert candidate.summary.strip()
        assert candidate.quote.strip()


def kinds(document: str, title: str = "", **settings: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for candidate in highlights(document, Selection(**settings), title):
        found.setdefault(candidate.kind, []).append(candidate.summary)
    return found


def shown(*paragraphs: str, title: str = "Dam of Orrin breaks", told: str = "") -> list[str]:
    return [each.summary for each in highlights("\n\n".join(paragraphs), Selection(), title, told)]


def test_one_of_everything() -> None:
    found = kinds(ARTICLE)
    metric = "The team rewrote the parser, and it now decodes 42% faster than before, down from 120 ms to 70 ms."
    assert found["metric"] == [metric]
    assert found["quote"][0].startswith('"We did not expect')
    assert found["api_change"] == [
        "The strict parameter of loads() is removed.",
        'Callers must now pass mode="strict".',
    ]
    assert found["code_change"] == ["With the new release it becomes:"]
    assert found["code_example"] == ["python code under “How to use it”"]
    assert found["action"] == ["You should upgrade to 3.14.1 before the end of May."]
    (code,) = [each for each in highlights(ARTICLE, Selection()) if each.kind == "code_example"]
    assert code.quote == "import json\ndef handler(req):\n    return json.loads(req.body)"
    assert (code.language, code.heading) == ("python", "How to use it")


TOWN = [
    "The dam of Orrin broke in the night after the heaviest rain that the valley of the town has seen for years.",
    "The council of Orrin moved the families of the valley to schools while the rain went on and the dam gave way.",
    "The rain in the valley of Orrin fell for nine nights, and the dam had been built for a town with half of its families.",
    "For years nobody had built schools, and nine nights of the heaviest rain gave the council half of the work that it has seen.",
]
NEWS = [
    "The heaviest rain for 40 years broke a dam of Orrin in the night of Monday.",
    "Mara Lind moved 300 families out of Orrin before her sister Ada saw the dam give way.",
    "Engineers of Velm Works measured 40% more water behind the dam of Orrin than in 2019.",
    "“A dam of that age holds for a hundred years if somebody looks after it,” said Ada Kern of Velm Works.",
]


@cases(
    "added",
    "A bakery in Elm Street sells 30% more loaves than in spring.",
    "**About Orrin Mills**\n\nOrrin Mills is a mill of Orrin that sells flour to 30% of families after nine nights of rain.",
    "Flour of Orrin families rose by 30% after nine nights of rain. It is dear for the families of the town. Read the whole of it…",
    ids=["a remark by the way", "about a company", "a teaser"],
)
def test_what_does_not_belong_to_the_story_is_no_highlight(added: str) -> None:
    title = "Dam of Orrin breaks in the night"
    kept = "Rain cost 300 families of Orrin 30% of all flour that Mara Lind had put into schools."
    assert kinds("\n\n".join([*TOWN, kept]), title)["metric"] == [kept]
    found = shown(*TOWN, kept, added, title=title)
    assert kept in found
    assert [one for one in found if one in added] == []


def test_no_highlight_says_what_the_headline_or_the_one_liner_says_or_is_general() -> None:
    told = "The dam of Orrin broke after nine nights of rain, and the 40 mills of Velm stand in the water of a valley."
    general = "A dam in a valley is a work of many years for all who live near it and pay for water with their taxes."
    new = "Mara Lind, the mayor, kept 300 families from below the dam of Orrin in schools for nine nights of rain."
    again = "The dam of Orrin broke in 2026 after nine nights, and 40 mills of Velm stand in the water."
    assert shown(told, new, general, again, title="A new dam for Orrin", told=told) == [new]
    assert shown(new, general, again, title="A new dam for Orrin") == [new, again]
    assert shown(new, again, title=new) == [again]


NEWS_TITLE, GUIDE = "Dam of Orrin breaks", "How to live with a dam of Orrin"
NO_FIGURES = [
    "Engineers of Velm Works built the dam of Orrin of 100% recycled stone.",
    "Engineers of Velm Works rose to the dam of Orrin in the 80s and 1990s.",
    "Engineers of Velm Works show a 75% RGB light of Ansel at the dam of Orrin.",
]
BEST = {
    "news": (NEWS_TITLE, NEWS, NEWS[:3]),
    "news that begins with no sentence": (
        "Talsperre gebrochen, Tal evakuiert",
        ["Orrin, the valley, the town and the rain in the dam", f"**{NEWS[0]} {TOWN[1]}**"],
        NEWS[:1],
    ),
    "one name in code": (NEWS_TITLE, ["The `strict` parameter of loads is removed."], []),
    "two names in code": (
        NEWS_TITLE,
        ["The `strict` parameter of `loads` is removed."],
        ["The strict parameter of loads is removed."],
    ),
    "a guide": (GUIDE, NEWS, [NEWS[2]]),
    "two figures": (GUIDE, [*NEWS, "Engineers of Velm Works found 20% less sand before the dam of Orrin."], [NEWS[2]]),
    "no figure": (GUIDE, [*NEWS[:2], NEWS[3]], []),
    "a figure of one of several items": (GUIDE, [f"The engineers{NEWS[2].removeprefix('Engineers')}"], []),
    "a figure without a word of the headline": (GUIDE, [NEWS[2].replace("dam of Orrin", "mill")], []),
    "figures that say nothing": (GUIDE, [*NEWS[:2], *NO_FIGURES], []),
    "a figure beside the topic": (GUIDE, [*TOWN, "A bakery in Elm Street sells 30% more loaves than in spring."], []),
}


@pytest.mark.parametrize(("title", "paragraphs", "best"), BEST.values(), ids=BEST)
def test_a_text_without_code_shows_its_best_sentences(title: str, paragraphs: list[str], best: list[str]) -> None:
    assert shown(*paragraphs, title=title) == best


def test_a_guide_with_code_shows_no_instruction_and_no_general_sentence() -> None:
    wide = {"action": 9, "insight": 9, "metric": 9}
    beside = "Tom Reed of Ansel sold forty cars to Eve Hart on a cold and quiet Friday."
    news, guide = (
        kinds(f"{ARTICLE}\n{beside}\n", title, limits=wide) for title in ("JSON in Python", "How to parse JSON")
    )
    assert (set(news), set(guide)) == ({"action", "insight", "metric"}, {"metric"})
    assert beside not in str(kinds(f"{ARTICLE}\n{beside}\n", limits=wide))


@cases(
    "sentence is_shown",
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
)
def test_a_highlight_of_a_text_without_code_stands_alone_and_tells_news(sentence: str, is_shown: bool) -> None:
    assert (sentence in shown(NEWS[0], sentence, "Mara Lind is the mayor.")) is is_shown


def test_the_end_of_a_long_text_tells_about_its_author_and_gives_no_highlight() -> None:
    filler = [f"Nobody said more of it in street {number}." for number in range(8)]
    author = "Ada Kern of Orrin has written of dams and rain for 20% of her life."
    assert author in shown(NEWS[0], author)
    assert author not in shown(NEWS[0], *filler, author)


@cases(
    "introduction summary",
    ("The server parses every request of a client.", "The server parses every request of a client."),
    ("Let's check out the code it generated.", "python code under “JSON”"),
    ("Here is how a server uses it:", "python code under “JSON”"),
)
def test_a_sentence_that_only_points_to_the_code_is_replaced_by_the_heading(introduction: str, summary: str) -> None:
    code = f"{introduction}\n\n```python\nimport json\nprint(json)\nprint(1)\n```"
    assert kinds(f"# JSON\n\n{code}")["code_example"] == [summary]
    assert "code_example" not in kinds(code) or summary == introduction


def test_long_code_is_cut_after_a_whole_line() -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(500))
    (found,) = highlights(f"## Lines\n\n```python\n{code}\n```", Selection(max_quote=300))
    assert len(found.quote) <= 300
    assert code.startswith(found.quote + "\n")


def test_a_text_in_another_language_gives_its_code_shares_and_central_sentences() -> None:
    text = "Die neue Version ist 42 % schneller als zuvor. Der Index braucht weniger Speicher als jede andere Version, die davor kam."
    found = kinds(f"{text}\n\n## So geht es\n\n```sql\nSELECT 1;\nSELECT 2;\n```")
    assert found.keys() == {"metric", "insight", "code_example"}


FIGURE = "In the US, 74% of mobile users are young."
TEAMS = "Five teams compared two platforms."


def contexts(page: str) -> dict[str, tuple[tuple[str, ...], str]]:
    # If a text contains code, each of its sentences with a number can be a highlight.
    found = highlights(
        f"{page}\n\nIt has `load` and `dump`.\n", Selection(), "Comparing the best social media platforms"
    )
    return {one.summary: (tuple(one.context.headings), one.context.before or "") for one in found}


SHOWN = {
    "a paragraph's first sentence: the end of the paragraph before": (f"{TEAMS}\n\n", (), TEAMS),
    "not after an item": (f"- {TEAMS}\n\n", (), ""),
    "not after a table": (f"| {TEAMS} |\n\n", (), ""),
    "not over a heading": (f"{TEAMS}\n\n## Pinterest\n\n", ("Pinterest",), ""),
    "not a line in bold": (f"**{TEAMS}**\n\n", (), ""),
    "a line in bold as a heading": (f"{TEAMS}\n\n**The catch**\n\n", ("The catch",), ""),
    "not in an item after a paragraph": (f"{TEAMS}\n\n- ", (), ""),
    "the nearest two headings of its own section": (
        f"# Tests\n\n## Video\n\n### YouTube\n\n#### Cons\n\nIt is so.\n\n#### Pros\n\n{TEAMS} ",
        ("YouTube", "Pros"),
        TEAMS,
    ),
    "not the first line": ("# Tests\n\n", (), ""),
    "not what the title says": ("A.\n\n## Comparing social media platforms\n\n", (), ""),
    "not an invitation": ("A.\n\n## Subscribe to our newsletter\n\n", (), ""),
    "not a credit": ("A.\n\n## Photo: Getty Images\n\n", (), ""),
    "not a heading like an article": ("A.\n\n## " + "A heading like an article " * 6 + "\n\n", (), ""),
    "a heading as plain text": ("A.\n\n## All about `parse()`:\n\n", ("All about parse():",), ""),
    "a heading that is closed": ("A.\n\n## What is new in C# ##\n\n", ("What is new in C#",), ""),
    "a name that ends with #": ("A.\n\n## F#\n\n", ("F#",), ""),
    "a name that begins with #": ("A.\n\n## #metoo in figures\n\n", ("#metoo in figures",), ""),
    "not a # that links to the heading": ("A.\n\n## Installation#\n\n", ("Installation",), ""),
}


@pytest.mark.parametrize(("above", "headings", "before"), SHOWN.values(), ids=SHOWN)
def test_a_sentence_shows_what_stands_before_it(above: str, headings: tuple[str, ...], before: str) -> None:
    assert contexts(f"{above}{FIGURE}\n") == {FIGURE: (headings, before)}


@pytest.mark.parametrize(
    "before",
    [
        "Subscribe to our newsletter for more. ",
        "He said “we are glad (of it. ",
        "Photo: Getty Images shows the team. ",
        "It ",
        # A fact check quotes this claim in order to refute it.
        "Claim: the vaccine has tiny chips in it. ",
        "## Claim: the vaccine has chips\n\n",
    ],
)
def test_what_must_not_be_shown_is_in_no_context_and_costs_no_highlight(before: str) -> None:
    figure = "Doctors at the hospital found that 92% of patients recovered faster than before."
    found = contexts(f"What the posts say about the new vaccine.\n\n{before}{figure}\n")
    assert set(found.values()) <= {((), "")}
    assert figure in found or "Claim" not in before


def test_a_highlight_is_in_no_context_and_a_page_with_a_symbol_on_each_line_is_read_in_no_time() -> None:
    page = "Latency fell by 40% in the new release. Memory use fell by 12% at the same load of work."
    assert list(contexts(page).values()) == [((), "")] * 2
    began = process_time()
    assert contexts("Acme has a new parser that " + "\u2605\n" * 30_000 + "needs no tables.") == {}
    assert process_time() - began < 3  # An earlier version took 15 seconds.


def test_a_person_may_keep_anything_in_the_metadata_of_a_highlight() -> None:
    told = {"headings": ["Pros", "Speed"], "before": "It is new."}
    assert context_line({"context": told}) == "[Pros > Speed] It is new."
    odd = [{"headings": [], "before": None}, {"headings": "Pros", "before": 3}, {"headings": [1], "before": None}]
    for metadata in ({}, *({"context": one} for one in (None, "seen on the train", ["a", "b"], *odd))):
        assert context_line(metadata) == "", metadata


BASE = "http://127.0.0.1:1"
LIST = tomllib.loads(Path(__file__).with_name("reader_list.toml").read_text(encoding="utf-8"))["article"]


def is_kept(candidate: Candidate, item: dict[str, Any]) -> bool:
    return item["text"] in candidate.quote and candidate.kind in item["kinds"]


@pytest.mark.quality
def test_highlights_are_what_a_reader_would_keep(figure: Any) -> None:
    # A text without code gets at most three highlights, so its recall is lower than that of a text with code.
    pages = render(BASE, datetime(2026, 11, 20, tzinfo=UTC))
    paths = {path.rsplit("/", 1)[-1]: path for path in pages}
    sums: Counter[str] = Counter()
    for article in LIST:
        slug = article["slug"]
        read = read_page(pages[paths[slug]].encode(), BASE + paths[slug], "text/html; charset=utf-8")
        document = read.markdown or ""
        assert all(item["text"] in document for item in article["keep"]), slug
        found = highlights(document, Selection())
        wrong = [each for each in found if not any(is_kept(each, item) for item in article["keep"])]
        missed = [item for item in article["keep"] if not any(is_kept(each, item) for each in found)]
        counts = {"listed": len(article["keep"]), "kept": len(article["keep"]) - len(missed)}
        sums.update({"found": len(found), "right": len(found) - len(wrong), **counts})
        if has_code(blocks(document)):
            sums.update({f"{name} of code": count for name, count in counts.items()})
        print(*(f"{slug}: not in the list, {each.kind}: {each.summary}" for each in wrong), sep="\n")
        print(*(f"{slug}: missed, {'|'.join(item['kinds'])}: {item['text']}" for item in missed), sep="\n")
    figure("highlights against a reader's list, precision", sums["right"] / sums["found"], 0.8)
    figure("highlights against a reader's list, recall", sums["kept"] / sums["listed"], 0.6)
    of_code = sums["kept of code"] / sums["listed of code"]
    figure("highlights against a reader's list, recall of texts with code", of_code, 0.7)
