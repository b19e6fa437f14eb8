from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

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
    assert found["code_change"] == ["With the new release it becomes."]
    assert found["code_example"] == ["Here is how a server uses it."]
    assert found["action"] == ["You should upgrade to 3.14.1 before the end of May."]


def test_code_keeps_its_lines_and_indentation() -> None:
    (code,) = [each for each in highlights(ARTICLE, Selection()) if each.kind == "code_example"]
    assert code.quote == "import json\ndef handler(req):\n    return json.loads(req.body)"
    assert (code.language, code.heading) == ("python", "How to use it")


def test_long_code_is_cut_after_a_whole_line() -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(500))
    (found,) = highlights(f"```python\n{code}\n```", Selection(max_quote=300))
    assert len(found.quote) <= 300
    assert code.startswith(found.quote + "\n")


def test_a_text_in_another_language_gives_its_code_shares_and_central_sentences() -> None:
    text = (
        "Die neue Version ist 42 % schneller als zuvor. Der Index braucht weniger Speicher als jede andere Version, die davor kam.\n\n"
        "So geht es:\n\n```sql\nSELECT 1;\nSELECT 2;\n```"
    )
    assert set(kinds(text)) == {"metric", "insight", "code_example"}


def test_the_handlers_import_nothing_heavy() -> None:
    code = (
        "import sys, actors.insights.analyze, actors.insights.extract, actors.insights.dedupe, actors.insights.relevance;"
        "import actors.briefs.generate, actors.stories.summarize, actors.stories.status, actors.ai.local;"
        "print([m for m in ('httpx', 'feedparser', 'trafilatura', 'wordllama', 'numpy', 'dramatiq') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
