"""Corpora beside the checkout, each in two halves by the order of names: one to choose settings by, the other to report.

Places 0, 2, 4 … are for choosing, 1, 3, 5 … for reporting. The documentation shows figures of the reporting half alone.
An ordinary run reads a sample of that half; with ``ZEKE_TEST_DEEP=1``, as ``nox -s quality`` sets it, both halves are read whole.
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

#: Beside the checkout, or beside the folder of several checkouts.
CORPUS = next(
    (found for above in Path(__file__).resolve().parents[4:] if (found := above / "shared" / "corpus").is_dir()),
    Path("corpus-is-absent"),
)

needs_corpora = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpora are not beside the repository")

WHOLE = bool(os.environ.get("ZEKE_TEST_DEEP"))
both_halves = pytest.mark.parametrize("half", ["choosing", "reporting"] if WHOLE else ["reporting"])


@dataclass(frozen=True)
class Page:
    """A page with a person's marks; those that nobody made are empty."""

    body: bytes
    url: str
    text: str
    title: str = ""
    author: str = ""
    date: str = ""  # ISO, the day alone


def half_of(ordered: Iterable[T], half: Half) -> list[T]:
    """Every second one of what is in the order of its names."""
    return list(ordered)[0 if half == "choosing" else 1 :: 2]


def articles(half: Half, every: int = 2) -> list[Page]:
    """The article extraction benchmark; of a sample, one page in so many."""
    folder = CORPUS / "articles"
    truth = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    return [
        Page(gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()), marked["url"], marked["articleBody"])
        for name, marked in half_of(sorted(truth.items()), half)[:: 1 if WHOLE else every]
    ]


def wcxb(half: Half, every: int = 20) -> list[Page]:
    """The article pages of WCXB's development split; of a sample, one in so many."""
    folder = CORPUS / "wcxb-articles-dev"
    found = []
    for path in half_of(sorted((folder / "ground-truth").glob("*.json")), half)[:: 1 if WHOLE else every]:
        data = json.loads(path.read_text(encoding="utf-8"))
        marked = data["ground_truth"]
        body = gzip.decompress((folder / "html" / f"{path.stem}.html.gz").read_bytes())
        about = (marked.get("title") or "", marked.get("author") or "", marked.get("publish_date") or "")
        found.append(
            Page(body, data.get("url") or "https://news.example/page", marked.get("main_content") or "", *about)
        )
    return found


@dataclass(frozen=True)
class Agreement:
    """The agreement of a text with the marked one, by shingles of four words."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Of this page; for many it is that of the averages."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def agreement(text: str, marked: str) -> Agreement:
    found, wanted = _shingles(text), _shingles(marked)
    hits = sum((found & wanted).values())
    return Agreement(hits / max(found.total(), 1), hits / max(wanted.total(), 1))


def mean(agreements: list[Agreement]) -> Agreement:
    count = len(agreements)
    return Agreement(sum(one.precision for one in agreements) / count, sum(one.recall for one in agreements) / count)


def _shingles(text: str) -> Counter[tuple[str, ...]]:
    tokens = re.findall(r"\w+", text)
    return Counter(tuple(tokens[at : at + 4]) for at in range(max(1, len(tokens) - 3)))


def cosine(left: list[float], right: list[float]) -> float:
    """The cosine of two vectors; 0 if one of them is zero."""
    norm = math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))
    return sum(a * b for a, b in zip(left, right, strict=True)) / norm if norm else 0.0
