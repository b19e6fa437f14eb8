"""``zeke-news read``, ``star`` and ``archive``: change the state of stories for a team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from actors.cli.output import Json, Team, database, in_json, tell
from actors.store import news
from actors.stories.status import mark
from zeke_jobs.cli.options import flag
from zeke_jobs.postgres.pool import transaction

Which = Annotated[list[str], typer.Argument(metavar="STORY...", help="Numbers, or ids; the beginning is enough.")]
Undo = Annotated[bool, flag("--undo", "Take it back.")]


def read(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Mark stories as read; with --undo as unread."""
    state = "unread" if undo else "read"
    _change(story, team, state, state=state, is_json=is_json)


def star(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Star stories, so that `stories --starred` shows them; with --undo take the star away."""
    _change(story, team, "not starred" if undo else "starred", pinned=not undo, is_json=is_json)


def archive(story: Which, undo: Undo = False, team: Team = news.NOBODY, is_json: Json = False) -> None:
    """Archive stories, so that lists leave them out; with --undo they are back, as read."""
    state = "read" if undo else "archived"
    _change(story, team, state, state=state, is_json=is_json)


def _change(
    names: Sequence[str], team: UUID, said: str, *, state: str | None = None, pinned: bool | None = None, is_json: bool
) -> None:
    with database() as conn, transaction(conn):
        found = {news.find_story(conn, name): name for name in names}
        for story in sorted(found):
            mark(conn, story, team, state=state, pinned=pinned)
    if not in_json([{"id": story, "result": said} for story in found], is_json=is_json):
        for name in found.values():
            tell(f"{name}: {said}")
