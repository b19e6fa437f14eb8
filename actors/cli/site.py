"""``zeke-news site test``: what the rule for a page's site gives, one part after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from actors.cli.engine import engine_settings, here
from actors.cli.output import Json, database, in_json, tell
from actors.engine import Settings
from actors.engine.contract import EngineError
from actors.engine.discovery.addresses import typed
from actors.engine.sites.rules import NONE
from actors.engine.text import one_line
from zeke_jobs.cli.options import argument
from zeke_jobs.core.durations import format_duration
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from actors.engine.sites.rules import Site

_PARTS = (("engine",), ("headers", "cookies"), ("remove",), ("text",))

app = typer.Typer(help="Rules for sites.", no_args_is_help=True)


@app.callback()
def site() -> None:
    """Rules for sites, in services.engine.sites of jobs.yaml."""


@app.command("test", short_help="Show what each part of a site's rule gives.")
def try_out(url: Annotated[str, argument("A page of the site.", "URL")], is_json: Json = False) -> None:
    """Fetch a page without its site's rule, then with one part of the rule more each time; nothing is stored.

    The rule is that of the jobs.yaml here, else of the one in force.
    """
    address = typed(url)
    with database() as conn:
        settings = engine_settings(here(conn))
    if not isinstance(settings, Settings):
        raise ConfigurationError(
            f"expected services.engine to use actors.engine:Settings, got {type(settings).__name__}"
        )
    host, rule = settings.rule_for(address)
    steps = [_step(settings, address, host, rule, names) for names in _steps(rule)]
    sent = [*rule.headers, *(f"cookie {one}" for one in rule.cookies)]
    said = {"url": address, "rule": host, "sent": sent, "feed_is_enough": rule.feed_is_enough, "pace": _pace(rule)}
    if not in_json({**said, "steps": steps}, is_json=is_json):
        _print(said, steps)
    if "reason" in steps[-1]:
        raise typer.Exit(1)


def _steps(rule: Site) -> list[set[str]]:
    """The parts of each fetch: none, then one more each time."""
    named = [part for part in _PARTS if any(getattr(rule, name) for name in part)]
    return [{name for part in named[:count] for name in part} for count in range(len(named) + 1)]


def _step(settings: Settings, url: str, host: str, rule: Site, names: set[str]) -> dict[str, Any]:
    left_out = {name: getattr(NONE, name) for part in _PARTS for name in part if name not in names}
    sites = {**settings.sites, **({host: rule.model_copy(update=left_out)} if host else {})}
    told: dict[str, Any] = {"with": [name for name in sorted(names) if getattr(rule, name)]}
    try:
        page = settings.model_copy(update={"sites": sites}).open().fetch_item(url)
    except EngineError as error:
        return {**told, "reason": f"{error.code}: {error}"}
    lines = [one_line(line, 76) for line in (page.text or "").split("\n") if line.strip()]
    shown = {"characters": len(page.text or ""), "choice": page.text_choice or "the Engine tells no choice"}
    return {**told, **shown, "lines": list(dict.fromkeys([*lines[:1], *lines[-1:]]))}


def _pace(rule: Site) -> str:
    if rule.pause:
        return f"at least {format_duration(rule.pause)} between two requests"
    return f"{rule.at_once} requests at once" if rule.at_once > 1 else "one request at a time"


def _print(said: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    tell(f"{said['url']}: " + (f"the rule of {said['rule']}" if said["rule"] else "no rule in services.engine.sites"))
    if said["sent"]:
        tell(f"  sends {', '.join(said['sent'])}; " + ("to this port" if ":" in said["rule"] else "by https only"))
    if said["feed_is_enough"]:
        tell("  fetches no page whose feed has its text")
    tell(f"  {said['pace']}")
    for step in steps:
        tell(f"with {', '.join(step['with'])}:" if step["with"] else "without a rule:")
        tell("  " + (step.get("reason") or f"{step['characters']} characters; {step['choice']}"))
        for line in step.get("lines", ()):
            tell(f"  | {line}")
