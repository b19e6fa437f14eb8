"""What a sender, a worker or an Engine imports is light."""

import subprocess
import sys

import pytest

HANDLERS = "actors.insights.analyze, actors.insights.extract, actors.insights.dedupe, actors.insights.relevance, actors.ai.local"
WRITERS = "actors.briefs.generate, actors.stories.summarize, actors.stories.status"


@pytest.mark.parametrize(
    ("imported", "heavy"),
    [
        ("actors.schema", ["feedparser", "trafilatura", "httpx", "dramatiq"]),
        ("actors.ai; actors.ai.Settings().open()", ["httpx", "numpy"]),
        (f"{HANDLERS}, {WRITERS}", ["httpx", "feedparser", "trafilatura", "wordllama", "numpy", "dramatiq"]),
        ("actors.engine.__main__, actors.engine.local", ["psycopg2"]),
    ],
)
def test_nothing_heavy_is_imported(imported: str, heavy: list[str]) -> None:
    code = f"import {imported}; import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
