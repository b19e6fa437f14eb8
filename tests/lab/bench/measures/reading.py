"""The cost of reading pages in a separate process: real pages, read here and by a reader, in turns."""

from __future__ import annotations

import gzip
import statistics
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from actors.engine import pages, reading
from actors.engine.contract import EngineError
from tests.lab.bench.processes import ROOT
from tests.lab.bench.result import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.bench.bench import Bench

MEASURE = "reading"
CORPUS = ROOT.parent / "shared" / "corpus" / "wcxb-articles-dev" / "html"
_URL = "https://news.example/a-story"
_MOST = 0.10


def measure(bench: Bench) -> list[Row]:
    """The article pages of a corpus."""
    found = sorted(CORPUS.glob("*.html.gz"))[:: 8 if bench.quick else 1]
    if not found:
        return [Row(MEASURE, "hand-over to a reader", None, note="the corpus of articles is not beside the repository")]
    here, there = [], []
    for path in found:
        body = gzip.decompress(path.read_bytes())
        took = [(_milliseconds(pages.read_page, body), _milliseconds(reading.read_page, body)) for _ in range(4)]
        here.append(min(one for one, _ in took))
        there.append(min(other for _, other in took))
    more = [other - one for one, other in zip(here, there, strict=True)]
    share = statistics.median(extra / one for extra, one in zip(more, here, strict=True))
    return [
        Row(MEASURE, "a page, in this process", statistics.median(here), "ms", note=f"median of {len(found)} pages"),
        Row(
            MEASURE,
            "hand-over to a reader and back",
            statistics.median(more),
            "ms",
            ratio=share,
            against="the page in this process",
            target=f"≤ {_MOST}",
            reached=share <= _MOST,
            note="medians over the pages",
        ),
    ]


def _milliseconds(read: Callable[[bytes, str], object], body: bytes) -> float:
    start = time.perf_counter()
    with suppress(EngineError):  # a no was read too
        read(body, _URL)
    return (time.perf_counter() - start) * 1000
