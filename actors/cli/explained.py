"""Explains a story's chili score, and the relevance scores of its highlights, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from actors.cli.output import chili
from actors.store.news import NOBODY

_PARTS = ("authority", "keywords", "cluster", "freshness")
_RELEVANCE = ("keyword", "kind", "authority", "freshness")


def chili_lines(row: Mapping[str, Any], team: UUID) -> list[str]:
    """Return the parts of a story's chili with reasons and weights, and the shift by interests."""
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


def relevance_line(relevance: Mapping[str, Any], kind: str) -> str:
    """Return the parts of a highlight's score with their weights and reasons."""
    parts, weights = relevance["parts"], relevance.get("weights") or {}
    keywords = ", ".join(relevance.get("keywords") or []) or "none"
    why = {"keyword": f" ({keywords})", "kind": f" ({kind.replace('_', ' ')})"}
    return " + ".join(
        f"{name} {parts[name]:g}{why.get(name, '')}{f' * {weights[name]:g}' if name in weights else ''}"
        for name in _RELEVANCE
        if name in parts
    )


def relevance_for(relevance: Mapping[str, Any], team: UUID) -> tuple[float, str]:
    """Return a highlight's score for a team, and why it differs from the general score."""
    teams = relevance.get("teams") or {}
    mine = teams.get(str(team)) or teams.get(str(NOBODY))
    if mine is None:
        return float(relevance["score"]), ""
    words = [f"raised by {', '.join(mine['more'])}"] if mine["more"] else []
    words += [f"lowered by {', '.join(mine['less'])}"] if mine["less"] else []
    return float(mine["score"]), f"{' and '.join(words)}, from {relevance['score']:.2f}"


def _interests(base: Any, scores: Sequence[Mapping[str, Any]], team: UUID) -> list[str]:
    by_team = {str(one["team_id"]): one for one in scores}
    mine = by_team.get(str(team)) or by_team.get(str(NOBODY))
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
