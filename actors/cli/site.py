"""``zeke-news site test``: a page without and with the rule of its site."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from actors.cli.engine import here, service
from actors.cli.output import Json, database, in_json, one_of_several, tell
from actors.engine import Settings
from actors.engine.contract import EngineError
from actors.engine.discovery.addresses import typed
from actors.engine.settings import NONE
from actors.engine.text import one_line
from zeke_jobs.cli.options import argument
from zeke_jobs.core.durations import format_duration
from zeke_jobs.errors import ConfigurationError

_PARTS = ("engine", "headers", "cookies", "remove", "text")

app = typer.Typer(
    help="Rules for sites, in services.engine.sites of jobs.yaml.", no_args_is_help=True, callback=one_of_several
)


@app.command("test", short_help="Show what the rule of a site gives.")
def try_out(url: Annotated[str, argument("A page of the site.", "URL")], is_json: Json = False) -> None:
    """Fetch a page without its site's rule, and with it; nothing is stored.

    The rule is that of the jobs.yaml here, else of the one in force.
    """
    address = typed(url)
    with database() as conn:
        settings = service(here(conn), "engine")
    if not isinstance(settings, Settings):
        raise ConfigurationError(
            f"expected services.engine to use actors.engine:Settings, got {type(settings).__name__}"
        )
    host, rule = settings.rule_for(address)
    named = [name for name in _PARTS if getattr(rule, name)]
    without = settings.model_copy(update={"sites": {**settings.sites, host: NONE}})
    steps = [{"with": [], **_read(without, address)}]
    steps += [{"with": named, **_read(settings, address)}] if named else []
    sent = [*rule.headers, *(f"cookie {one}" for one in rule.cookies)]
    pace = f"{rule.at_once} requests at once" if rule.at_once > 1 else "one request at a time"
    pace = f"at least {format_duration(rule.pause)} between two requests" if rule.pause else pace
    said = {"url": address, "rule": host, "sent": sent, "feed_is_enough": rule.feed_is_enough, "pace": pace}
    if not in_json({**said, "steps": steps}, is_json=is_json):
        _print(said, steps)
    if "reason" in steps[-1]:
        raise typer.Exit(1)


def _read(settings: Settings, url: str) -> dict[str, Any]:
    try:
        page = settings.open().fetch_item(url)
    except EngineError as error:
        return {"reason": f"{error.code}: {error}"}
    lines = [one_line(line, 76) for line in (page.text or "").split("\n") if line.strip()]
    shown = {"characters": len(page.text or ""), "choice": page.text_choice or "the Engine tells no choice"}
    return {**shown, "lines": list(dict.fromkeys([*lines[:1], *lines[-1:]]))}


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
