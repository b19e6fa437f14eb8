"""Each team's state of a story: unread, read or archived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from uuid import UUID

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg2.extensions import connection as Connection

State = Literal["unread", "read", "archived"]


def set_for_team(conn: Connection, story_id: UUID, team_id: UUID, state: State) -> bool:
    """Set one team's state at its request; returns whether that changed anything."""
    return SQL.one(conn, "team_state_set", story_id=str(story_id), team_id=str(team_id), state=state) is not None


def pin(conn: Connection, story_id: UUID, team_id: UUID, *, pinned: bool) -> bool:
    """Star a story for a team, or remove the star; returns whether that changed anything."""
    values = {"story_id": str(story_id), "team_id": str(team_id), "pinned": pinned}
    return SQL.one(conn, "team_pin", **values) is not None


def followers(conn: Connection, story_id: UUID) -> list[UUID]:
    """The teams that follow a source of the story.

    A team follows a source when ``sources.metadata.teams`` names it, or when it has a state on one of that source's
    stories.
    """
    return sorted(UUID(str(row["team_id"])) for row in SQL.all(conn, "team_followers", story_id=str(story_id)))


def advance(conn: Connection, story_id: UUID, teams: Sequence[UUID], state: State) -> int:
    """Move the story forward (unread, read, archived) for ``teams``, never back; returns the number of changed teams."""
    moved = SQL.all(
        conn, "team_states_of_followers", story_id=str(story_id), teams=[str(team) for team in teams], state=state
    )
    return len(moved)
