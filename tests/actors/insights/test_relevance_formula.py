import pytest

from actors.ai.chili import hits
from actors.insights.relevance import RelevanceSettings, relevance
from zeke_jobs.postgres.queries import Row


def highlight(summary: str, kind: str = "metric") -> Row:
    return Row(kind=kind, title=None, summary=summary, quote=None)


def test_the_formula_is_that_of_the_documentation() -> None:
    found = relevance(highlight("A benchmark of Postgres and its latency."), 0.9, 15, RelevanceSettings())
    assert found["keywords"] == ["benchmark", "latency", "Postgres"]
    assert found["parts"] == {"keyword": 0.6, "kind": 0.9, "authority": 0.9, "freshness": 0.75}
    assert found["score"] == round(0.4 * 0.6 + 0.3 * 0.9 + 0.2 * 0.9 + 0.1 * 0.75, 4)
    assert relevance(highlight("x"), None, 0, RelevanceSettings())["parts"]["authority"] == 0.7


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Cheap storage for everyone", []),
        ("RAG beats fine-tuning", ["rag"]),
        ("we use rag, and like it", ["rag"]),
        ("a bragging drag", []),
        ("rag_pipeline", []),
        ("(rag)", ["rag"]),
        ("An open source tool", ["open source"]),
        ("an Open-Source tool", ["open source"]),
        ("open\nsource", ["open source"]),
    ],
)
def test_a_keyword_matches_whole_words_across_hyphen_and_line(text: str, found: list[str]) -> None:
    assert hits(text, ("rag", "open source")) == found
