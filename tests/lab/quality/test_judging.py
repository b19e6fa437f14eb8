"""The tool for readers' judgements: its sheet shows what a reader sees, and its tally counts the marks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.lab.quality import judging

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_sheet_shows_a_highlight_as_its_reader_sees_it_and_the_tally_counts_letters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text: dict[str, Any] = {"title": "T", "lead": "L", "one": "O", "why": None, "before why": []}
    seen, unseen = "[Heading] Before.", ("metric", "Down by 75 %.", "", "what is behind", "")
    new = {
        "p": {**text, "highlights": [("insight", "It fell.", "", "behind", seen), unseen]},
        "q": {**text, "highlights": []},
    }
    old = {"p": {**text, "highlights": [unseen[:4]]}}  # written by an earlier version
    for name, made in (("new", new), ("old", old)):
        (tmp_path / f"{name}.json").write_text(json.dumps(made))
    sheet, key, marks = (str(tmp_path / name) for name in ("sheet.md", "key.json", "marks.txt"))
    judging.sheet(sheet, key, "seed", str(tmp_path / "new.json"), str(tmp_path / "old.json"))
    shown = (tmp_path / "sheet.md").read_text()
    assert f"  {seen}\n- insight: It fell.\n- metric: Down by 75 %.\n    behind: what is behind" in shown
    letters = {("new", 2): "gb f", ("new", 0): "- -", ("old", 1): "f b"}
    numbered = json.loads((tmp_path / "key.json").read_text())
    versions: dict[str, Any] = {"new": new, "old": old}
    lines = [f"{n} g e {letters[v, len(versions[v][page]['highlights'])]}" for n, [[v, page]] in numbered.items()]
    (tmp_path / "marks.txt").write_text("\n".join(lines))
    judging.tally(key, marks)
    said = capsys.readouterr().out
    assert "new: 2 pages, one-liner 100%, why 100%\n  2 highlights: good 50%, good or fair 50%" in said
    assert "  1 pages with highlights: good 0%, good or fair 100%" in said
    assert "  1 highlights: good 0%, good or fair 100%\n  1 pages with highlights: good 0%, good or fair 0%" in said
