"""The tests of this folder share texts, and a fake AI whose answers each test sets."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from actors.ai import Settings
from actors.ai.protocol import Analysis, Embedding, Provenance

ARTICLE = Path(__file__).with_name("article.txt").read_text(encoding="utf-8")
DEAL = "Acme buys Initech for two billion dollars in cash. The deal closes in June, the companies said on Monday."
EVENTS = "SELECT metrics FROM story_clusters"
WITHOUT_PGVECTOR = "ALTER TABLE story_embeddings DROP COLUMN embedding, ADD COLUMN embedding real[] NOT NULL"
TOLD = Analysis("It matters.", 4, "completed", Provenance("openai", "m", "analyze/1"), 0.8)


def model(embedding: Embedding | None = None, fails: Exception | None = None, **told: Any) -> Any:
    """Make a local AI that returns an analysis with the fields ``told``, and ``embedding`` if it is given."""
    ai: Any = Settings().open()
    ai.analyze = Mock(return_value=replace(TOLD, **told), side_effect=fails)
    if embedding:
        ai.embed = lambda *_: embedding
    return ai


@pytest.fixture
def deals(add_story: Any) -> Callable[[int], list[UUID]]:
    """Add stories of one event, each of its own source."""
    title = "Acme buys Initech for $2bn"
    return lambda count: [add_story(f"{DEAL} Report {n}.", title=title, authority=0.6) for n in range(count)]
