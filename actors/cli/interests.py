"""Runs ``zeke-news interests``, which proposes words and examples from stories that people starred, read or archived."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import typer
from psycopg2.extensions import connection as Connection
from pydantic import ValidationError

from actors.cli.engine import in_force, task_settings
from actors.cli.output import Json, Team, answer, database
from actors.insights.events import EventSettings
from actors.insights.interests import Interest, Interests
from actors.insights.suggesting import propose
from actors.store.news import NOBODY
from zeke_jobs.cli.options import option
from zeke_jobs.cli.run import UsageError
from zeke_jobs.config import Config
from zeke_jobs.core.environment import author
from zeke_jobs.revisions import applying, overrides
from zeke_jobs.revisions.store import Override
from zeke_jobs.scheduler import dispatch

# If an application has only one command, typer leaves out its name unless there is a callback.
app = typer.Typer(help="Words and examples that raise or lower scores.", no_args_is_help=True, callback=lambda: None)


@app.command(short_help="Propose interests by what was read and archived.")
def suggest(
    accept: Annotated[
        list[str] | None, option("Take these: more:Rust, less:crypto, like:13, unlike:7.", "KIND:VALUE")
    ] = None,
    team: Team = NOBODY,
    is_json: Json = False,
) -> None:
    """Propose words and examples from starred, read and archived stories, and show the effect on last week's scores.

    Only --accept changes the interests in force (as `zeke-jobs set` does); they apply only to stories analysed later.
    """
    with database() as conn:
        if accept:
            name = "all" if team == NOBODY else str(team)
            wider = _accept(conn, team, name, accept)
            answer(wider, f"the interests of {name} are now {wider}", is_json=is_json)
            return
        made, counts = propose(conn, team, *_present(conn, team))
    marked = f"by {counts['liked']} stories starred or read and {counts['archived']} archived"
    said = [f"{marked}; {counts['recent']} are of the last week"]
    for one in made:
        marked = f"in {one['liked']} starred or read, {one['archived']} archived"
        said.append(f"{one['accept']}: {marked}; would have moved {len(one['moved'])}")
        said += [f"      {story['by']:+g}  {story['number']}  {story['title']}" for story in one["moved"][:3]]
    how = f"to accept: zeke-news interests suggest --accept {made[0]['accept']}" if made else "nothing to propose yet"
    answer(made, *said, how, is_json=is_json)


def _present(conn: Connection, team: UUID) -> tuple[Interest, Interests]:
    """Return the interests that hold for this team, and the settings with the interests of every team."""
    every = EventSettings.model_validate(task_settings(in_force(conn), "analyze-story")).interests
    return every.teams.get("all" if team == NOBODY else team) or every.teams.get("all") or Interest(), every


def _accept(conn: Connection, team: UUID, name: str, accepted: Sequence[str]) -> dict[str, Any]:
    wider: dict[str, Any] = {}

    def change(file: Config, present: Sequence[Override]) -> list[Override]:
        found = _present(conn, team)[0].model_dump(mode="json", exclude_defaults=True)
        for one in accepted:
            kind, _, value = one.partition(":")
            known = found.setdefault(kind, [])
            if value.strip() not in map(str, known):
                known.append(value.strip())
        try:
            wider.update(Interest.model_validate(found).model_dump(mode="json", exclude_defaults=True))
        except ValidationError as error:
            expected = "expected more:WORD, less:WORD, like:STORY or unlike:STORY"
            raise UsageError(f"{expected}, got {' '.join(accepted)}") from error
        path = overrides.read_path(f"analyze-story.settings.interests.teams.{name}", file)
        why, now = f"accepted {', '.join(accepted)}", dispatch.clock(conn)
        return overrides.with_overrides(present, [Override(path, wider, by=author(), why=why, set_on=now, until=None)])

    applying.set_by_hand(conn, change, by=author(), message="interests suggest --accept")
    return wider
