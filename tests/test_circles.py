"""No two modules import each other, not even by a detour, inside a function or for types alone."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
#: Modules that import each other today. No more are accepted, and this list is to become empty.
KNOWN = (
    {"zeke_jobs.worker.claim.claims", "zeke_jobs.worker.claim.slots"},
    {"zeke_jobs.worker.claim.blocked", "zeke_jobs.worker.runtime"},
    {
        "zeke_jobs.worker.claim.notifier",
        "zeke_jobs.worker.life.heartbeat",
        "zeke_jobs.worker.process",
        "zeke_jobs.worker.stop",
    },
    {"actors.engine.local", "actors.engine.settings"},
)


def modules() -> dict[str, Path]:
    paths = [path for package in ("zeke_jobs", "actors") for path in (ROOT / package).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imported(name: str, path: Path, known: set[str]) -> Iterator[str]:
    """The modules that one names in its imports; a package counts as what its ``__init__`` defines."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for one in node.names:
                whole = f"{base}.{one.name}"
                if found := whole if whole in known else base if base in known else "":
                    yield found


def groups(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Modules that reach each other: the strongly connected components with more than one module."""
    reached = {name: reach(graph, name) for name in graph}
    found = {frozenset({other for other in reached[name] if name in reached[other]} | {name}) for name in graph}
    return {group for group in found if len(group) > 1}


def reach(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        new = graph[todo.pop()] - seen
        seen |= new
        todo += new
    return seen


def test_no_two_modules_import_each_other() -> None:
    found = modules()
    graph = {name: set(imported(name, path, set(found))) - {name} for name, path in found.items()}
    assert len(graph) > 200
    assert graph["zeke_jobs.cli"] == {"zeke_jobs.cli.root", "zeke_jobs.cli.run"}
    assert [sorted(group) for group in groups(graph) if not any(group <= known for known in KNOWN)] == []


def test_a_circle_is_found_by_whatever_way_it_goes() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}}
    assert groups(graph) == {frozenset("abc"), frozenset("ef")}
