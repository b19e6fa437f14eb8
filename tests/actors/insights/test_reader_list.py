"""The extracted highlights of the bundled articles are compared with the list of a human reader.

A text without code shows at most its best three sentences, so the recall for such a text is lower.
"""

import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.ai.markdown import blocks
from actors.demo.sample_site import render
from actors.engine.pages import read_page
from actors.insights.candidates import Candidate
from actors.insights.selection import Selection, has_code, highlights

BASE = "http://127.0.0.1:1"
LIST = tomllib.loads(Path(__file__).with_name("reader_list.toml").read_text(encoding="utf-8"))["article"]


def is_kept(candidate: Candidate, item: dict[str, Any]) -> bool:
    return item["text"] in candidate.quote and candidate.kind in item["kinds"]


@pytest.mark.quality
def test_highlights_are_what_a_reader_would_keep(figure: Any) -> None:
    pages = render(BASE, datetime(2026, 11, 20, tzinfo=UTC))
    paths = {path.rsplit("/", 1)[-1]: path for path in pages}
    sums: Counter[str] = Counter()
    for article in LIST:
        slug = article["slug"]
        read = read_page(pages[paths[slug]].encode(), BASE + paths[slug], "text/html; charset=utf-8")
        document = read.markdown or ""
        assert all(item["text"] in document for item in article["keep"]), slug
        found = highlights(document, Selection())
        wrong = [each for each in found if not any(is_kept(each, item) for item in article["keep"])]
        missed = [item for item in article["keep"] if not any(is_kept(each, item) for each in found)]
        counts = {"listed": len(article["keep"]), "kept": len(article["keep"]) - len(missed)}
        sums.update({"found": len(found), "right": len(found) - len(wrong), **counts})
        if has_code(blocks(document)):
            sums.update({f"{name} of code": count for name, count in counts.items()})
        print(*(f"{slug}: not in the list, {each.kind}: {each.summary}" for each in wrong), sep="\n")
        print(*(f"{slug}: missed, {'|'.join(item['kinds'])}: {item['text']}" for item in missed), sep="\n")
    figure("highlights against a reader's list, precision", sums["right"] / sums["found"], 0.8)
    figure("highlights against a reader's list, recall", sums["kept"] / sums["listed"], 0.6)
    of_code = sums["kept of code"] / sums["listed of code"]
    figure("highlights against a reader's list, recall of texts with code", of_code, 0.7)
