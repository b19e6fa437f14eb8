"""``zeke-news search --like`` and ``--meaning`` find the nearest stories, and print the name of the model."""

import math
import random
from typing import Any

import pytest

from actors.ai import hashing
from actors.insights import events
from actors.store import embeddings
from tests.actors.cli.conftest import JOBS
from tests.actors.conftest import News
from tests.actors.database import execute
from tests.lab.quality.corpora import cosine

pytestmark = pytest.mark.usefixtures("in_force")
TEXTS = {
    "Retries": "A retry budget bounds the retries of a service, so that a storm of retries ends.",
    "Budgets": "Services with a budget of retries survive storms; retries without one make them worse.",
    "Cats": "A cat sat on a mat and looked at the moon for a whole night, said the neighbour.",
    "Moon": "The moon was full for a whole night, and a retry of the landing failed.",
}


@pytest.fixture
def library(add_story: Any, analyse: Any, conn: Any) -> None:
    """Add the stories of TEXTS from different sources, a day apart, analysed by the local AI."""
    for day, (title, text) in enumerate(TEXTS.items()):
        analyse(add_story(text, title=title, days_old=day))
    execute(conn, "UPDATE sources SET name = s.title FROM stories AS s WHERE s.primary_source_id = sources.id")


def titles(news: News, *words: str) -> list[str]:
    return [row["title"] for row in news.json("search", *words)]


def test_the_nearest_story_is_first_among_words_sources_and_a_time(news: News, library: None, add_story: Any) -> None:
    assert titles(news, "--like", "1")[0] == "Budgets"
    assert titles(news, "--meaning", "a cat on a mat")[0] == "Cats"
    (first, *_) = news.json("search", "--like", "1", "--limit", "1")
    assert (first["model"], 0.2 < first["cosine"] < 1) == ("hashed-words-1", True)
    said = news("search", "--like", "1", has=("alike.", "compared by hashed-words-1"))
    assert "another model" not in said
    assert set(titles(news, "--like", "1", "moon")) == {"Cats", "Moon"}
    assert titles(news, "--like", "1", "moon", "-cat") == ["Moon"]
    assert titles(news, "--meaning", "retries", "source:Moon") == ["Moon"]
    assert titles(news, "--meaning", "retries at night", "source:Cats", "moon") == ["Cats"]
    assert titles(news, "--like", "1", "since:36h") == ["Budgets"]
    # A search that cannot be answered is refused with the reason.
    for arguments, status, words in (
        (["--like", "1", "--meaning", "x"], 2, "expected --like or --meaning, got both"),
        (["--like", "99"], 1, "expected the number or id of a story, got '99'"),
        (["--like", "1", "-moon"], 1, "expected words to look for"),
        ([], 2, "expected words in addition to source: and since:, got none"),
    ):
        assert words in news("search", *arguments, status=status)
    add_story("A text.")
    said = "expected a story with an embedding, got '5': analyze-story makes it"
    assert said in news("search", "--like", "5", status=1)


def test_each_story_has_its_vectors_signs_for_its_model_alone(library: None, conn: Any, news: News) -> None:
    signed = "SELECT embedding::real[], signs::text FROM story_embeddings JOIN story_signs USING (story_id)"
    stored = execute(conn, signed)
    assert [embeddings.written("m", vector).signs == signs for vector, signs in stored] == [True] * len(TEXTS)
    of_budgets = "SET model_version = 'm@4' FROM stories AS s WHERE s.id = story_id AND s.title = 'Budgets'"
    for table in ("story_signs", "story_embeddings"):
        execute(conn, f"UPDATE {table} {of_budgets}")
    said = "compared by hashed-words-1; stories with an embedding of another model were not"
    assert said in news("search", "--like", "1")
    assert "no story is near to it; compared by m@4; stories with" in news("search", "--like", "2")


def test_the_nearest_is_found_by_its_signs_among_many(news: News, library: None, add_story: Any, conn: Any) -> None:
    for n in range(120):
        story = add_story("A text.", title=f"Other {n}", days_old=0.5)
        vector = hashing.embed(f"word{n} thing{n} item{n} of a storm of retries")
        events.publish(conn, story, embeddings.written(hashing.MODEL_VERSION, vector), [])
    assert titles(news, "--meaning", "a cat on a mat looked at the moon", "--limit", "1") == ["Cats"]


def test_a_provider_embeds_at_a_cost(news: News, in_force: Any, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "k")
    service = "{use: actors.ai:Settings, provider: openai, openai: {base_url: 'http://127.0.0.1:9/v1', api_key: '${KEY}', model: m, embedding_model: e, embedding_dimensions: 4}}"
    in_force(JOBS.replace("{use: actors.ai:Settings, provider: local}", service))
    assert "the text has no embedding: " in news("search", "--meaning", "retries", status=1)
    failed = {"task": "search", "operation": "embed", "outcome": "failed"}
    assert rows("SELECT task, operation, outcome FROM ai_calls") == [failed]
    monkeypatch.delenv("KEY")
    said = "expected what services.ai names in the environment, got nothing: KEY"
    assert said in news("search", "--meaning", "x", status=2)


def test_signs_tell_the_angle_of_two_vectors() -> None:
    chance = random.Random(3)
    words = [f"word{n}" for n in range(400)]
    # The first two vectors have only positive numbers; the rotation makes some of them negative.
    pairs = [[[chance.random() for _ in range(1536)] for _ in range(2)]]
    for shared in (5, 20, 35, 40):
        one = chance.sample(words, 40)
        other = one[:shared] + chance.sample(words, 40 - shared)
        pairs.append([hashing.embed(" ".join(some)) for some in (one, other)])
    for left, right in pairs:
        first, second = (embeddings.written("m", vector).signs for vector in (left, right))
        assert len(first) == 1024
        share = sum(a != b for a, b in zip(first, second, strict=True)) / 1024
        assert abs(share - math.acos(min(1.0, cosine(left, right))) / math.pi) < 0.06
