"""Reads the settings of the Engine, the AI step and tasks for other commands, and runs ``zeke-news site test``."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from psycopg2.extensions import connection as Connection

from actors import ai
from actors.cli.output import Json, answer, database
from actors.engine import Settings
from actors.engine.contract import EngineError
from actors.engine.discovery.addresses import typed
from actors.engine.settings import NONE
from actors.engine.text import one_line
from zeke_jobs import config
from zeke_jobs.cli.options import argument
from zeke_jobs.config import Config
from zeke_jobs.config.handlers import resolve_model
from zeke_jobs.config.imports import Substitution
from zeke_jobs.core import environment
from zeke_jobs.core.wording import format_duration
from zeke_jobs.errors import ConfigurationError, ZekeJobsError
from zeke_jobs.revisions import store as revisions

_DEFAULTS = {"engine": Settings(), "ai": ai.Settings()}


class CannotRead(ZekeJobsError):
    """A feed or page cannot be read. The message gives the reason and, if known, the setting to change."""


def in_force(conn: Connection, *, here_first: bool = False) -> Config | None:
    """Return the configuration in force in the database, or else the jobs.yaml in this folder, or else None.

    With ``here_first``, the jobs.yaml in this folder comes first.
    """
    path, revision = environment.config_path(), revisions.latest(conn)
    if revision is None or (here_first and path.exists()):
        return config.load(path, handlers=False) if path.exists() else None
    return revision.config(handlers=False)


def service(chosen: Config | None, name: str) -> Any:
    """Return the configured or default settings of the service ``engine`` or ``ai``. Raises ConfigurationError."""
    known = None if chosen is None else chosen.services.get(name)
    if known is None:
        return _DEFAULTS[name]
    filled = Substitution(known.settings)
    if filled.unset:
        names = ", ".join(sorted({variable for _, variable in filled.unset}))
        raise ConfigurationError(f"expected what services.{name} names in the environment, got nothing: {names}")
    return resolve_model(known.use).model_validate(filled.value)


def task_settings(chosen: Config | None, task: str) -> dict[str, Any]:
    """Return a task's settings in jobs.yaml, with values from environment variables filled in."""
    known = None if chosen is None else chosen.tasks.get(task)
    filled: dict[str, Any] = {} if known is None else Substitution(dict(known.settings or {})).value
    return filled


_HELP = "Rules for sites, in services.engine.sites of jobs.yaml."
# If an application has only one command, typer leaves out its name unless there is a callback.
app = typer.Typer(help=_HELP, no_args_is_help=True, callback=lambda: None)


@app.command("test", short_help="Show what the rule of a site gives.")
def try_out(url: Annotated[str, argument("A page of the site.", "URL")], is_json: Json = False) -> None:
    """Fetch a page without and with the rule for its site. Nothing is stored.

    The rule comes from the jobs.yaml in this folder, or else from the revision in force.
    """
    address = typed(url)
    with database() as conn:
        settings = service(in_force(conn, here_first=True), "engine")
    if not isinstance(settings, Settings):
        got = type(settings).__name__
        raise ConfigurationError(f"expected services.engine to use actors.engine:Settings, got {got}")
    host, rule = settings.rule_for(address)
    named = [name for name in ("engine", "headers", "cookies", "remove", "text") if getattr(rule, name)]
    without = settings.model_copy(update={"sites": {**settings.sites, host: NONE}})
    steps = [{"with": [], **_read(without, address)}]
    steps += [{"with": named, **_read(settings, address)}] if named else []
    sent = [*rule.headers, *(f"cookie {one}" for one in rule.cookies)]
    pace = f"{rule.at_once} requests at once" if rule.at_once > 1 else "one request at a time"
    pace = f"at least {format_duration(rule.pause)} between two requests" if rule.pause else pace
    said = {"url": address, "rule": host, "sent": sent, "feed_is_enough": rule.feed_is_enough, "pace": pace}
    answer({**said, "steps": steps}, *_told(said, steps), is_json=is_json)
    if "reason" in steps[-1]:
        raise typer.Exit(1)


def _read(settings: Settings, url: str) -> dict[str, Any]:
    try:
        page = settings.open().fetch_item(url)
    except EngineError as error:
        return {"reason": f"{error.code}: {error}"}
    lines = [one_line(line, 76) for line in (page.text or "").split("\n") if line.strip()]
    shown = {"characters": len(page.text or ""), "choice": page.text_choice or "the Engine reports no choice"}
    return {**shown, "lines": list(dict.fromkeys([*lines[:1], *lines[-1:]]))}


def _told(said: dict[str, Any], steps: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{said['url']}: " + (f"the rule of {said['rule']}" if said["rule"] else "no rule in services.engine.sites")
    if said["sent"]:
        yield f"  sends {', '.join(said['sent'])}; " + ("to this port" if ":" in said["rule"] else "by https only")
    if said["feed_is_enough"]:
        yield "  fetches no page whose feed has its text"
    yield f"  {said['pace']}"
    for step in steps:
        yield f"with {', '.join(step['with'])}:" if step["with"] else "without a rule:"
        yield "  " + (step.get("reason") or f"{step['characters']} characters; {step['choice']}")
        yield from (f"  | {line}" for line in step.get("lines", ()))
