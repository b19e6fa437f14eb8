"""``zeke-news read``, ``star`` and ``archive``: change the state of stories, through the task stories-update-status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

import zeke_jobs
from actors.cli import jobs
from actors.cli.output import Json, Team, as_json, console, database, short, tell
from actors.store import news
from actors.store.statements import SQL
from zeke_jobs.cli.options import flag
from zeke_jobs.postgres.pool import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

_TASK = "stories-update-status"
_PATIENCE = 10.0  # seconds

Which = Annotated[list[str], typer.Argument(metavar="STORY...", help="Numbers, or ids; the beginning is enough.")]
Undo = Annotated[bool, flag("--undo", "Take it back.")]


def read(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Mark stories as read; with --undo as unread."""
    _change(story, team, {"state": "unread" if undo else "read"}, "unread" if undo else "read", is_json=is_json)


def star(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Star stories, so that `stories --starred` shows them; with --undo take the star away."""
    _change(story, team, {"pinned": not undo}, "not starred" if undo else "starred", is_json=is_json)


def archive(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Archive stories, so that lists leave them out; with --undo they are back, as read."""
    _change(story, team, {"state": "read" if undo else "archived"}, "read" if undo else "archived", is_json=is_json)


def _change(names: Sequence[str], team: UUID, wish: Mapping[str, Any], said: str, *, is_json: bool) -> None:
    with database() as conn:
        found = {news.find_story(conn, name): name for name in names}
        with transaction(conn):
            payloads = [{"story_id": str(story), "team_id": str(team), **wish} for story in found]
            sent = zeke_jobs.send_many(_TASK, payloads, connection=conn)
        has_worker = SQL.value(conn, "news_has_worker")
        ids = [str(one.id) for one in sent]
        ended = jobs.follow(conn, ids, said, _PATIENCE if has_worker else 0)
    done = [_fate(story, ended.get(job), said) for story, job in zip(found, ids, strict=True)]
    if is_json:
        as_json(done)
    for one in () if is_json else done:
        tell(f"{found[one['id']]}: {one['result']}")
    if not has_worker and not is_json:
        console().print(jobs.NO_WORKER, soft_wrap=True)
    if any(one["failed"] for one in done):
        raise typer.Exit(1)


def _fate(story: Any, job: Mapping[str, Any] | None, said: str) -> dict[str, Any]:
    done = job is not None and job["state"] == "completed"
    failed = job is not None and job["state"] in {"failed", "cancelled"}
    result = said if done else jobs.outcome(job) if failed else f"{short(story)} will be {said}"
    return {"id": story, "result": result, "done": done, "failed": failed}
