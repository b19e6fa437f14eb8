"""Each corpus has two halves: one half serves to choose settings, the other half to report figures.

In the order of their names, pages 0, 2, 4 … are for choosing, and 1, 3, 5 … for reporting. The documentation shows
figures of the reporting half only. An ordinary run reads a sample of the reporting half. With ``ZEKE_TEST_DEEP=1``, as
in ``nox -s quality``, both halves are read in full.
"""

import gzip
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import pytest

Half = Literal["choosing", "reporting"]
T = TypeVar("T")

#: The corpora are beside the checkout, or beside the folder of several checkouts.
CORPUS = next(
    (found for above in Path(__file__).resolve().parents[4:] if (found := above / "shared" / "corpus").is_dir()),
    Path("corpus-is-absent"),
)

needs_corpora = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpora are not beside the repository")

WHOLE = bool(os.environ.get("ZEKE_TEST_DEEP"))
both_halves = pytest.mark.parametrize("half", ["choosing", "reporting"] if WHOLE else ["reporting"])


@dataclass(frozen=True)
class Page:
    """A page with annotations made by hand; a field without an annotation is an empty string."""

    body: bytes
    url: str
    text: str
    title: str = ""
    author: str = ""
    date: str = ""  # The date is in ISO format, without a time.


def half_of(ordered: Iterable[T], half: Half) -> list[T]:
    return list(ordered)[0 if half == "choosing" else 1 :: 2]


def articles(half: Half, every: int = 2) -> list[Page]:
    """Return the pages in this half of the article extraction benchmark; an ordinary run reads one in ``every``."""
    folder = CORPUS / "articles"
    truth = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    return [
        Page(gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()), marked["url"], marked["articleBody"])
        for name, marked in half_of(sorted(truth.items()), half)[:: 1 if WHOLE else every]
    ]


def wcxb(half: Half, every: int = 20) -> list[Page]:
    """Return the article pages in this half of WCXB's development split; an ordinary run reads one in ``every``."""
    folder = CORPUS / "wcxb-articles-dev"
    found = []
    for path in half_of(sorted((folder / "ground-truth").glob("*.json")), half)[:: 1 if WHOLE else every]:
        data = json.loads(path.read_text(encoding="utf-8"))
        marked = data["ground_truth"]
        body = gzip.decompress((folder / "html" / f"{path.stem}.html.gz").read_bytes())
        about = (marked.get("title") or "", marked.get("author") or "", marked.get("publish_date") or "")
        url = data.get("url") or "https://news.example/page"
        found.append(Page(body, url, marked.get("main_content") or "", *about))
    return found


def agreement(text: str, marked: str) -> tuple[float, float]:
    """Return the precision and the recall of a text, by shingles of four words."""
    found, wanted = _shingles(text), _shingles(marked)
    hits = sum((found & wanted).values())
    return hits / max(found.total(), 1), hits / max(wanted.total(), 1)


def f1(precision: float, recall: float) -> float:
    """Return the F1 of a page, or of the averages of many pages."""
    both = precision + recall
    return 2 * precision * recall / both if both else 0.0


def _shingles(text: str) -> Counter[tuple[str, ...]]:
    tokens = re.findall(r"\w+", text)
    return Counter(tuple(tokens[at : at + 4]) for at in range(max(1, len(tokens) - 3)))


def cosine(left: list[float], right: list[float]) -> float:
    """Return the cosine of two vectors, or 0 if one of them is zero."""
    norm = math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))
    return sum(a * b for a, b in zip(left, right, strict=True)) / norm if norm else 0.0
