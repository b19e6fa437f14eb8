"""Runs ``zeke-news story``, which shows a story and explains its scores, and ``open``, which opens the story's page."""

import pydoc
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from rich.table import Table

from actors.cli.output import Json, Team, ago, chili, console, database, end_in_json, escape, short, tell, visible
from actors.cli.stories import LINK
from actors.store import SQL, news, texts
from actors.store.news import NotFound
from zeke_jobs.cli.options import argument, flag
from zeke_jobs.cli.output import Console, say

_PARTS = ("authority", "keywords", "cluster", "freshness")
_RELEVANCE = ("keyword", "kind", "authority", "freshness")


Which = Annotated[str, argument("Its number, or its id; the beginning is enough.", "STORY")]


def story(
    story_id: Which,
    only_text: Annotated[bool, flag("--text", "Only its text; on a terminal page by page.")] = False,
    team: Team = news.NOBODY,
    is_json: Json = False,
) -> None:
    """Show a story in full: analysis, brief, highlights, the parts of each score, source, stories of the same event."""
    with database() as conn:
        found = news.find_story(conn, story_id)
        row = news.story(conn, found)
        assert row is not None
        if only_text:
            _print_text(row, texts.needed(conn, found).document, is_json=is_json)
            return
        row["team_scores"] = SQL.all(conn, "team_scores_of_story", story_id=found)
        row["costs"] = SQL.all(conn, "ai_costs", by="task", since=date.min, story_id=found, limit=50)
    end_in_json(row, is_json=is_json)
    out = console()
    _print_head(out, row, team)
    _print_brief(out, row)
    _print_highlights(out, row["highlights"], team)
    _print_event(out, row)
    if costs := row["costs"]:
        unknown = sum(one["unknown"] for one in costs)
        told = f"US$ {sum(one['cost_usd'] or 0 for one in costs):.4f} in {sum(one['calls'] for one in costs)} calls"
        more = f" and {unknown} calls of unknown price" if unknown else ""
        out.print(f"\n[bold]Cost[/bold]  {told}{more}")


def open_(story_id: Which) -> None:
    """Open a story's address in a browser; without a browser, print it."""
    with database() as conn:
        row = news.story(conn, news.find_story(conn, story_id))
    url = (row or {}).get("url") or ""
    if not LINK.fullmatch(url):
        shows = f"zeke-news story {story_id} --text shows its text"
        raise NotFound(f"expected a story with a web address, got {url!r}\n  help: {shows}")
    if not (sys.stdout.isatty() and webbrowser.open(url)):
        tell(url)


def _print_text(row: Mapping[str, Any], text: str, *, is_json: bool) -> None:
    told = {"id": row["id"], "title": row["title"], "url": row["url"], "origin": row["text_origin"], "text": text}
    end_in_json(told, is_json=is_json)
    head = [row["title"] or "(no title)", row["url"] or "", f"from {row['text_origin'] or 'an unknown origin'}"]
    shown = visible("\n".join([*filter(None, head), "", text]), lines=True)
    if sys.stdout.isatty():
        pydoc.pager(shown)
    else:
        say(shown)


def _print_head(out: Console, row: Mapping[str, Any], team: UUID) -> None:
    out.print(f"[bold]{escape(row['title'] or '(no title)')}[/bold]", soft_wrap=True)
    authority = "" if row["authority"] is None else f", authority {row['authority']}"
    age = f"published {ago(row['published_at'])}" if row["published_at"] else f"found {ago(row['created_at'])}"
    out.print(visible(f"{row['source'] or '?'}{authority} · {row['kind']} · {age} ago"), markup=False)
    out.print(visible(row["url"] or ""), soft_wrap=True, markup=False)
    origin, language = row["text_origin"] or "unknown", row["language"] or "unknown"
    out.print(f"{row['characters'] or 0} characters from {origin}, language {language}", markup=False)
    if row["text_choice"]:
        out.print(visible(row["text_choice"]), markup=False)
    out.print(f"id {row['id']}", markup=False)
    citations = row["citations"] or {}
    out.print(f"\n[bold]Analysis[/bold]  chili {chili(citations.get('chili'))}, {escape(_made_by(row, 'analysis'))}")
    if why := row["why_it_matters"] or citations.get("why"):
        out.print(why, markup=False)
    for line in _chili_lines(row, team):
        out.print(visible(line), style="dim", markup=False)


def _print_brief(out: Console, row: Mapping[str, Any]) -> None:
    is_made = row["brief_generated_at"] or row["one_liner"]
    out.print(f"\n[bold]Brief[/bold]  {escape(_made_by(row, 'brief')) if is_made else 'none yet'}")
    grid = _grid()
    for title, part in (("one line", "one_liner"), ("two lines", "two_liner"), ("elevator", "elevator")):
        if row[part]:
            grid.add_row(f"[dim]{title}[/dim]", escape(row[part], lines=True))
    out.print(grid)
    if (saved := row["time_saved_seconds"]) is not None:
        out.print(f"saves {saved // 60} min {saved % 60} s of reading", style="dim", markup=False)
    if row["summary"]:
        out.print("\n[bold]Summary[/bold]")
        out.print(row["summary"], markup=False)


def _print_highlights(out: Console, highlights: list[Mapping[str, Any]], team: UUID) -> None:
    out.print(f"\n[bold]Highlights[/bold]  {len(highlights)}")
    grid = _grid()
    found = ((each["metadata"].get("relevance") or {}, each) for each in highlights)
    scored = ((*_relevance_for(relevance, team), relevance, each) for relevance, each in found)
    for score, why, relevance, each in sorted(scored, key=lambda one: one[0] or 0, reverse=True):
        context = context_line(each["metadata"])
        lines = [f"[dim]{escape(context)}[/dim]"] if context else []
        lines.append(f"[bold]{escape(each['kind'])}[/bold]  {escape(each['summary'] or '', lines=True)}")
        if relevance:
            lines.append(f"[dim]{escape(_relevance_line(relevance, each['kind']))}[/dim]")
        if why:
            lines.append(f"[dim]{escape(why)}[/dim]")
        if each["kind"].startswith("code") and each["quote"]:
            lines += [f"  [cyan]{escape(line)}[/cyan]" for line in each["quote"].split("\n")[:12]]
        grid.add_row("-" if score is None else f"{score:.2f}", "\n".join(lines))
    out.print(grid)


def context_line(metadata: Mapping[str, Any]) -> str:
    """Return a highlight's context as ``[heading > heading] sentence``, or "" if the stored one is not valid."""
    match metadata.get("context"):
        case {"headings": [*headings], "before": str() | None as before} if {*map(type, headings)} <= {str}:
            return " ".join(filter(None, (f"[{' > '.join(headings)}]" if headings else "", before)))
    return ""


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _print_event(out: Console, row: Mapping[str, Any]) -> None:
    if row["same_event"]:
        sources = (row["cluster_metrics"] or {}).get("sources", "?")
        out.print(f"\n[bold]Same event[/bold]  {len(row['same_event']) + 1} stories, {sources} sources")
        for other in row["same_event"]:
            out.print(visible(f"{short(other['id'])}  {other['source'] or '?'}: {other['title']}"), markup=False)
    if len(row["items"]) > 1:
        out.print(f"\n[bold]Found as[/bold]  {len(row['items'])} items")
        for item in row["items"]:
            said = f"{item['outcome']:10} {item['source']}: {item['url'] or item['external_id']}"
            out.print(visible(said), markup=False)


def _made_by(row: Mapping[str, Any], what: str) -> str:
    if what == "analysis" and row["analysis_state"] == "pending":
        return "pending"
    note = (row["citations"] or {}).get(what)
    if not note:
        return "not by the pipeline"
    named = "taken from the story itself" if note.get("provider") == "local" else f"by {note.get('model')}"
    prompt = f", prompt {note['prompt']}" if note.get("prompt") else ""
    checked = {"by rule": ", checked by rule", "verified": ", verified"}.get(note.get("checked") or "", "")
    return named + prompt + checked


def _chili_lines(row: Mapping[str, Any], team: UUID) -> list[str]:
    """Return lines that explain a story's chili score: each part's weight and reason, and the effect of interests."""
    citations = row["citations"] or {}
    base, breakdown = citations.get("chili"), citations.get("breakdown") or {}
    if base is None:
        return []
    lines = []
    if all(isinstance(breakdown.get(name), int | float) for name in (*_PARTS, "value")):
        lines.append(f"chili {chili(base)} is 5 * {breakdown['value']:g}, rounded. Its parts, each from 0 to 1:")
        weights = breakdown.get("weights") or {}
        source, found = row["source"] or "its source", breakdown.get("found") or []
        tellers = (row["cluster_metrics"] or {}).get("sources", 1)
        trusted = f"{source} is trusted with {row['authority']}"
        named = f"{len(found)} different keywords: {', '.join(found)}"
        said = {
            "authority": f"nobody rated {source}: the default" if row["authority"] is None else trusted,
            "keywords": named if found else "none of the keywords is in it",
            "cluster": f"{tellers} sources report it" if tellers > 1 else "one source reports it",
            "freshness": "by its age when it was scored; 0 once it is old",
        }
        for name in _PARTS:
            weight = f" * {weights[name]:g}" if name in weights else ""
            lines.append(f"  {name:9} {breakdown[name]:.2f}{weight:8} {said[name]}")
    else:
        note = citations.get("analysis") or {}
        by_model = note.get("model") and note.get("provider") != "local"
        judge = f"the model {note['model']}" if by_model else "somebody else"
        lines.append(f"chili {chili(base)} is what {judge} said; no formula has a part in it")
    return lines + _interests(base, row.get("team_scores") or [], team)


def _relevance_line(relevance: Mapping[str, Any], kind: str) -> str:
    """Return a line with the parts of a highlight's relevance score, their weights and their reasons."""
    parts, weights = relevance["parts"], relevance.get("weights") or {}
    keywords = ", ".join(relevance.get("keywords") or []) or "none"
    why = {"keyword": f" ({keywords})", "kind": f" ({kind.replace('_', ' ')})"}
    return " + ".join(
        f"{name} {parts[name]:g}{why.get(name, '')}{f' * {weights[name]:g}' if name in weights else ''}"
        for name in _RELEVANCE
        if name in parts
    )


def _relevance_for(relevance: Mapping[str, Any], team: UUID) -> tuple[float | None, str]:
    """Return a highlight's score for a team, or else the general score, and why the two differ."""
    teams = relevance.get("teams") or {}
    mine = teams.get(str(team)) or teams.get(str(news.NOBODY))
    if mine is None:
        return (float(relevance["score"]) if relevance else None), ""
    words = [f"raised by {', '.join(mine['more'])}"] if mine["more"] else []
    words += [f"lowered by {', '.join(mine['less'])}"] if mine["less"] else []
    return float(mine["score"]), f"{' and '.join(words)}, from {relevance['score']:.2f}"


def _interests(base: Any, scores: Sequence[Mapping[str, Any]], team: UUID) -> list[str]:
    by_team = {str(one["team_id"]): one for one in scores}
    mine = by_team.get(str(team)) or by_team.get(str(news.NOBODY))
    if mine is None or not mine["parts"]:
        return []
    parts = mine["parts"]
    said = [f"it says {', '.join(parts['more'])}"] if parts.get("more") else []
    said += [f"it says {', '.join(parts['less'])}, which lowers it"] if parts.get("less") else []
    for name, words in (("like", "it resembles"), ("unlike", "it resembles, which lowers it,")):
        if one := parts.get(name):
            said.append(f"{words} story {one['number']}, {one['title']} (cosine {one['cosine']:g})")
    total = min(5.0, max(0.0, float(base) + float(mine["shift"])))
    return [f"interests move it by {float(mine['shift']):+g} to {chili(total)}: {'; '.join(said)}"]
