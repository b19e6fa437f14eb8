"""Readers' judgement of what the provider ``local`` makes of pages, blind: which version wrote a text is not shown.

    python -m tests.lab.quality.judging unseen COUNT SEED                            # pages of the reporting half that nobody has marked
    python -m tests.lab.quality.judging write OUT.json PAGE.html.gz …                # in each version's checkout
    python -m tests.lab.quality.judging sheet SHEET.md KEY.json SEED VERSION.json …  # the texts, in an order that the seed shuffles
    python -m tests.lab.quality.judging tally KEY.json MARKS.txt …                   # the rates, from a line of marks for each text

Marks are g(ood), f(air), b(ad) and, for a why, e(mpty). The line of a text is ``NUMBER ONE WHY HIGHLIGHTS PAGE``: a letter for each
highlight, as in ``gfb``, and one for all of them together; ``-`` where there are none.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.ai.chili import Chili
from actors.ai.local import LocalAnalyst
from actors.ai.protocol import Story
from actors.engine.pages import read_page
from actors.insights.selection import Selection, highlights
from actors.store.highlights import context_line
from tests.lab.quality.corpora import CORPUS, half_of

if TYPE_CHECKING:
    from collections.abc import Callable

_BEFORE = 100  # characters that stand before a sentence, by which a reader sees what it leans on
_LEAD = 600
_DOCS = Path(__file__).resolve().parents[3] / "docs"


def unseen(count: str, seed: str) -> None:
    """Print the paths of pages, drawn by the seed from the reporting half of WCXB's articles, that no file of marks has."""
    marked = {
        row[0] for path in _DOCS.glob("quality-judgement*.csv") for row in csv.reader(path.open(encoding="utf-8"))
    }
    pages = half_of(sorted((CORPUS / "wcxb-articles-dev" / "html").glob("*.html.gz")), "reporting")
    left = [page for page in pages if page.name.removesuffix(".html.gz") not in marked]
    print(*random.Random(seed).sample(left, int(count)), sep="\n")


def write(out: str, *pages: str) -> None:
    """This version's texts for pages, as JSON by the name of the page."""
    analyst = LocalAnalyst(Chili(), lambda _: [0.0] * 1536, "none")
    made = {Path(page).name.removesuffix(".html.gz"): _made(analyst, Path(page)) for page in pages}
    Path(out).write_text(json.dumps(made, ensure_ascii=False, indent=1), encoding="utf-8")


def _made(analyst: LocalAnalyst, page: Path) -> dict[str, Any]:
    item = read_page(gzip.decompress(page.read_bytes()), "https://news.example/page", "text/html")
    text = item.markdown or item.text or ""
    story = Story(uuid.UUID(int=0), item.title, text, item.description, item.language)
    analysis = analyst.analyze(story)
    return {
        "title": item.title,
        "lead": " / ".join(text[:_LEAD].split("\n")),
        "one": analyst.brief(story).one_liner,
        "why": analysis.why_it_matters,
        "before why": [_ahead(text, one.start) for one in analysis.citations],
        "highlights": [
            (
                one.kind,
                one.summary,
                one.quote if one.kind.startswith("code") else "",
                _ahead(text, one.start),
                context_line(one.insight("")),
            )
            for one in highlights(text, Selection(), item.title)
        ],
    }


def _ahead(text: str, place: int) -> str:
    return " / ".join(text[max(0, place - _BEFORE) : place].split("\n"))


def sheet(out: str, key: str, seed: str, *versions: str) -> None:
    """Number the texts of all versions in a shuffled order; a text of two versions stands once."""
    read = {Path(one).stem: json.loads(Path(one).read_text(encoding="utf-8")) for one in versions}
    told: dict[str, list[tuple[str, str]]] = {}
    for version, pages in read.items():
        for page, made in pages.items():
            said = json.dumps([page, made["one"], made["why"], [one[:3] + one[4:] for one in made["highlights"]]])
            told.setdefault(said, []).append((version, page))
    order = sorted(told.values())
    random.Random(seed).shuffle(order)
    Path(key).write_text(json.dumps(dict(enumerate(order, 1))), encoding="utf-8")
    texts = (_shown(number, read[same[0][0]][same[0][1]]) for number, same in enumerate(order, 1))
    Path(out).write_text("\n".join(texts), encoding="utf-8")


def _shown(number: int, made: dict[str, Any]) -> str:
    lines = [f"## {number}. {made['title']}", f"TEXT {made['lead']}", f"ONE {made['one']}", f"WHY {made['why']}"]
    lines += [f"    behind: {one}" for one in made["before why"]]
    for kind, summary, code, behind, *context in made["highlights"]:
        lines += [*(f"  {line}" for line in context if line), f"- {kind}: {summary}"]
        lines += [f"    | {line}" for line in code.splitlines()]
        lines += [] if any(context) else [f"    behind: {behind}"]
    return "\n".join(lines)


def tally(key: str, *marks: str) -> None:
    """The rates of each version, of each file of marks."""
    same = json.loads(Path(key).read_text(encoding="utf-8"))
    for path in marks:
        counts: dict[str, Counter[str]] = {}
        for number, *given in map(str.split, Path(path).read_text(encoding="utf-8").splitlines()):
            for version, _ in same[number]:
                count = counts.setdefault(version, Counter())
                count["pages"] += 1
                count["one-liner"] += given[0] in "gf"
                count["why"] += given[1] in "gfe"
                count.update(f"highlights {mark}" for mark in given[2].strip("-"))
                count.update(f"pages with highlights {mark}" for mark in given[3].strip("-"))
        for version, count in counts.items():
            pages = count["pages"]
            print(
                f"{path} {version}: {pages} pages, one-liner {count['one-liner'] / pages:.0%}, why {count['why'] / pages:.0%}"
            )
            for what in ("highlights", "pages with highlights"):
                good, fair, bad = (count[f"{what} {mark}"] for mark in "gfb")
                shown = good + fair + bad
                print(
                    f"  {shown} {what}: good {good / shown:.0%}, good or fair {(good + fair) / shown:.0%}"
                    if shown
                    else f"  no {what}"
                )


if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {"unseen": unseen, "write": write, "sheet": sheet, "tally": tally}
    commands[sys.argv[1]](*sys.argv[2:])
