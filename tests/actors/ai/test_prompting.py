import hashlib
import math
import statistics
import uuid

import pytest
from hypothesis import given, strategies as st

from actors.ai import Settings
from actors.ai.hashing import DIMENSIONS, embed, wordllama
from actors.ai.prompting import VERSIONS, fenced, material, prompt, visible
from actors.ai.protocol import Story
from tests.figures import Figure
from tests.lab.quality.corpora import CORPUS, cosine
from zeke_jobs.errors import ConfigurationError

HEADLINES = CORPUS / "headlines"
FINGERPRINTS = {"analyze/2": "160d4c9222c6b4ab", "brief/1": "f3aa1dbb89e93245"}
FINGERPRINTS |= {"same_event/1": "3d7382a8d09c6eac", "summarize/1": "005ae185aea9cb1e", "verify/1": "15448ab6c9b092e4"}


def story(document: str) -> Story:
    return Story(uuid.UUID(int=1), "Title", document, source="Feed")


def test_a_prompts_text_never_changes_under_its_version() -> None:
    found = {prompt(name).name: hashlib.sha256(prompt(name).text.encode()).hexdigest()[:16] for name in VERSIONS}
    assert found == FINGERPRINTS, "write a new file with the next version instead"


@given(st.text(max_size=300), st.text(alphabet="0123456789abcdef", min_size=16, max_size=16))
def test_a_story_cannot_leave_its_fence(text: str, nonce: str) -> None:
    lines = fenced(text + nonce + text, nonce).split("\n")
    assert [index for index, line in enumerate(lines) if nonce in line] == [0, len(lines) - 1]


@given(st.text(max_size=300))
def test_what_a_reader_cannot_see_does_not_reach_the_model(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert not {"\u200b", "\u202e", "\ufeff", "\x00", "\x1b"} & set(visible(text))


def test_a_long_story_is_cut_after_a_line_and_says_so() -> None:
    text = material(story("\n".join(f"Paragraph {number}." for number in range(1000))), 500)
    assert len(text) < 600
    assert text.endswith(".\n[the story goes on]")


def test_wordllama_embeds_under_its_true_name_or_says_how_to_get_it() -> None:
    settings = Settings.model_validate({"embeddings": "wordllama"})
    try:
        import wordllama  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(ConfigurationError, match=r"pip install 'zeke-news\[local\]'"):
            settings.open()
    else:
        embedding = settings.open().embed(story("Some text."))
        assert embedding.model_version.startswith("wordllama-")
        assert len(embedding.vector) == 1536
        assert not any(embedding.vector[256:])


def test_a_vector_has_1536_numbers_and_length_one() -> None:
    vector = embed("Postgres 18 is out")
    assert len(vector) == DIMENSIONS == 1536
    assert math.isclose(sum(value * value for value in vector), 1.0)
    assert embed("") == [0.0] * DIMENSIONS
    same_on_every_machine = [150, 198, 225, 747, 823, 1033, 1078]
    assert [index for index, value in enumerate(embed("Postgres")) if value] == same_on_every_machine


@pytest.mark.skipif(not HEADLINES.is_dir(), reason="the headline corpus is not beside this checkout")
@pytest.mark.quality
@pytest.mark.parametrize(("name", "least"), [("hashed words", 0.74), ("wordllama", 0.75)])
def test_headlines_agree_with_people(name: str, least: float, figure: Figure) -> None:
    if name == "wordllama":
        pytest.importorskip("wordllama", reason="the extra `local` is not installed")
    way = wordllama()[0] if name == "wordllama" else embed
    years = [(HEADLINES / f"{year}.tsv").read_text(encoding="utf-8") for year in (2013, 2014, 2015)]
    pairs = [
        parts
        for year in years
        for line in year.splitlines()
        if len(parts := line.split("\t")) >= 3 and parts[0].strip()
    ]
    people, ours = zip(*((float(score), cosine(way(one), way(other))) for score, one, other, *_ in pairs), strict=True)
    figure(f"headlines of three years, {name}, Pearson", statistics.correlation(people, ours), least)
