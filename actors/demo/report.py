"""Show the results: stories, highlights, one brief, failures with their reasons, and where to look next."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from actors.demo import progress
from actors.store.highlights import context_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors.demo.expected import Check
    from actors.demo.results import Results
    from zeke_jobs.cli.output import Console

_BEST = 10  # highlights that are shown
_HOTTEST = 5  # chili


def show(console: Console, results: Results) -> None:
    """All tables, most interesting first."""
    console.print(_stories(results.stories))
    if results.highlights:
        console.print(_highlights(results.highlights))
    if results.stories:
        console.print(_brief(results.stories[0]))
    console.print(_not_stories(results))
    console.print(progress.table(results.jobs, "Jobs by task and status"))


def verdict(console: Console, checks: Iterable[Check], seconds: float) -> bool:
    """Print whether all checks hold, and the failed ones."""
    checks = list(checks)
    broken = [check for check in checks if not check.holds]
    for check in broken:
        console.print(f"[red]✗[/] {check.name}: expected {check.expected!r}, got {check.got!r}", highlight=False)
    if broken:
        console.print(f"[bold red]{len(broken)} of {len(checks)} checks failed[/] after {seconds:.0f} s")
        return False
    console.print(f"[bold green]All {len(checks)} checks hold[/], {seconds:.0f} s after the start:", highlight=False)
    for check in checks:
        console.print(f"  [green]✓[/] [dim]{check.name}[/]", highlight=False)
    return True


def _stories(stories: list[dict[str, Any]]) -> Table:
    shown = _table(f"Stories ({len(stories)}), hottest first")
    shown.add_column("title", ratio=4)
    shown.add_column("source", ratio=2)
    shown.add_column("chili", no_wrap=True)
    shown.add_column("in one line: a sentence of the article", ratio=6)
    for story, is_copy in _copies_below(stories):
        style = "dim" if is_copy else ""
        shown.add_row(
            Text(f"↳ the same, edited: {story['title']}" if is_copy else story["title"] or "", style=style),
            Text(story["source"] or "", style=style),
            _chili(story["chili"]),
            Text(story["brief_one_liner"] or "no brief", style=style),
        )
    return shown


def _copies_below(stories: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each story in order; the others of a cluster stand below its leader."""
    leaders = {story["leader_id"] for story in stories if story["leader_id"] == story["id"]}
    for story in stories:
        if story["leader_id"] in leaders and story["leader_id"] != story["id"]:
            continue
        yield story, False
        for other in stories:
            if other["leader_id"] == story["id"] != other["id"]:
                yield other, True


def _highlights(highlights: list[dict[str, Any]]) -> Table:
    best = _some_of_each_kind(highlights)
    shown = _table(f"Highlights and their relevance ({len(best)} of {len(highlights)})")
    shown.add_column("score", justify="right", no_wrap=True)
    shown.add_column("kind", no_wrap=True)
    shown.add_column("highlight", ratio=5)
    shown.add_column("story", ratio=3)
    for one in best:
        score = "·" if one["score"] is None else f"{one['score']:.2f}"
        said = Text(_short(one))
        if context := context_line(one["metadata"]):
            said = Text(f"{textwrap.shorten(context, 160, placeholder=' …')}\n", style="dim").append(said)
        shown.add_row(score, one["kind"], said, Text(one["story"] or ""))
    return shown


def _some_of_each_kind(highlights: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The best highlight of each kind, then the next best of each, in the order of their scores."""
    taken: dict[str, int] = {}
    ranked = []
    for place, one in enumerate(highlights):
        taken[one["kind"]] = turn = taken.get(one["kind"], 0) + 1
        ranked.append((turn, place))
    return [highlights[place] for place in sorted(place for _, place in sorted(ranked)[:_BEST])]


def _short(highlight: dict[str, Any]) -> str:
    words = highlight["summary"] or highlight["quote"] or highlight["title"] or ""
    return textwrap.shorten(words, 160, placeholder=" …")


def _brief(story: dict[str, Any]) -> Panel:
    lines = Text()
    saved = story["time_saved_seconds"]
    for name, value in (
        ("One line", story["brief_one_liner"]),
        ("Two sentences", story["brief_two_liner"]),
        ("Elevator", story["brief_elevator"]),
        ("Why it matters", story["why_it_matters"]),
        ("Time saved", None if saved is None else f"{saved // 60} min {saved % 60:02d} s of reading"),
        ("Source", f"{story['source']}, {story['url']}"),
    ):
        if value:
            lines.append(f"{name}\n", style="bold")
            lines.append(f"{value}\n")
    lines.rstrip()
    return Panel(lines, title=Text(f"A brief in full: {story['title']}"), title_align="left")


def _not_stories(results: Results) -> Table:
    shown = _table("Items without a story, and why")
    shown.add_column("what", ratio=3)
    shown.add_column("outcome", no_wrap=True)
    shown.add_column("why", ratio=6, overflow="fold")
    for item in results.items:
        if item["outcome"] not in ("stored", "updated", "backlog"):
            shown.add_row(Text(item["title"] or item["url"] or ""), item["outcome"], Text(item["detail"] or ""))
    for source in results.sources:
        if source["status"] not in ("ok", None):
            shown.add_row(Text(source["url"] or ""), f"feed: {source['status']}", Text(source["message"] or ""))
    for job in results.unfinished:
        why = f"{job['type']}: {job['message']}".strip(": ") or f"attempt {job['attempt']}"
        shown.add_row(job["task"], f"job: {job['status']}", Text(textwrap.shorten(why, 200, placeholder=" …")))
    backlog = sum(item["outcome"] == "backlog" for item in results.items)
    if backlog:
        shown.add_row(f"{backlog} older items", "backlog", "a new source brings only its newest items")
    if not shown.row_count:
        shown.add_row("nothing", "", "")
    return shown


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", header_style="dim", expand=True)


def _chili(value: int | None) -> str:
    return "·" if value is None else f"{value} {'●' * value}{'○' * (_HOTTEST - value)}"
