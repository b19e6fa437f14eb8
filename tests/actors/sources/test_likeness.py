import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from actors.sources.likeness import bands, jaccard, shingles
from tests.lab.quality import corpora

CORPUS = corpora.CORPUS / "near_duplicates"
ARTICLES = CORPUS.parent / "articles"
LEAST = 0.5

needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the corpus of near duplicates is not beside the repository"
)


def near_pairs(texts: dict[str, str]) -> set[frozenset[str]]:
    """Find all pairs of near duplicates in the same way as the pipeline does."""
    known = {name: shingles(text) for name, text in texts.items()}
    by_band: dict[int, list[str]] = {}
    for name, its_shingles in known.items():
        for band in bands(its_shingles):
            by_band.setdefault(band, []).append(name)
    candidates = {frozenset(pair) for names in by_band.values() for pair in itertools.combinations(names, 2)}
    found = set()
    for pair in candidates:
        one, other = sorted(pair)
        if jaccard(known[one], known[other]) >= LEAST:
            found.add(pair)
    return found


def edited(text: str, likeness: float, chance: random.Random) -> str:
    """Make a syndicated copy: drop sentences and change words until the Jaccard similarity is about ``likeness``."""
    parts = text.split()
    original = shingles(text)
    while jaccard(original, shingles(" ".join(parts))) > likeness:
        at = chance.randrange(len(parts))
        if chance.random() < 0.3:
            del parts[at : at + 8]
        else:
            parts[at] = chance.choice(parts)
        parts.append(chance.choice(parts))
    return " ".join(parts)


@pytest.mark.skipif(not ARTICLES.is_dir(), reason="the corpus of articles is not beside the repository")
@pytest.mark.quality
def test_syndicated_copies_are_found_and_articles_of_one_template_are_not(figure: Any) -> None:
    chance = random.Random(11)
    bodies = [entry["articleBody"] for entry in json.loads((ARTICLES / "ground-truth.json").read_text()).values()]
    bodies = [body for body in bodies if len(body.split()) >= 120][:: 1 if corpora.WHOLE else 3]
    texts: dict[str, str] = {}
    truth: set[frozenset[str]] = set()
    for place, body in enumerate(bodies):
        texts[f"original-{place}"] = body
        texts[f"copy-{place}"] = edited(body, chance.uniform(0.52, 0.9), chance)
        truth.add(frozenset({f"original-{place}", f"copy-{place}"}))
    # Different articles have the same beginning and end, which make up about half of each article.
    for place, body in enumerate(bodies):
        own = " ".join(reversed(body.split()[:100]))
        frame = bodies[place % 5].split()[:90]
        texts[f"template-{place}"] = " ".join((*frame[:45], own, *frame[45:]))
    found = near_pairs(texts)
    hits = len(found & truth)
    figure("syndicated copies with edits, precision", hits / len(found), 0.98)
    figure("syndicated copies with edits, recall", hits / len(truth), 0.9)


@needs_corpus
@pytest.mark.quality
@pytest.mark.parametrize("size", [100, 1000])
def test_every_planted_pair_is_found_and_no_other(size: int, figure: Callable[[str, float, float], None]) -> None:
    lines = (CORPUS / f"articles_{size}.train").read_text().splitlines()
    texts = dict(line.split(" ", 1) for line in lines)
    truth = {frozenset(line.split()) for line in (CORPUS / f"articles_{size}.truth").read_text().splitlines()}
    found = near_pairs(texts)
    figure(f"planted near duplicates among {size}, precision", len(found & truth) / len(found), 1)
    figure(f"planted near duplicates among {size}, recall", len(found & truth) / len(truth), 1)


def test_chinese_texts_are_compared_too() -> None:
    one = shingles("纽约时报中文网报道前高管揭露内幕配合北京开发审查工具")
    other = shingles("纽约时报中文网报道前高管揭露内幕配合北京开发审查软件")
    assert jaccard(one, other) > 0.7
