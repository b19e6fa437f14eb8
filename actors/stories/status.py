"""Runs stories-update-status, which sets a story's state (unread, read or archived) or star for a team."""

from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.schema import StoriesUpdateStatus
from actors.store import SQL, texts
from zeke_jobs import Context


def stories_update_status(payload: StoriesUpdateStatus, ctx: Context) -> dict[str, Any]:
    """Set a story's state or star for one team, or move the state forward for every team that follows the story's sources.

    A state moves forward from unread to read to archived. Raises Reject if the story does not exist.
    """
    with ctx.transaction() as tx:
        if payload.team_id is not None:
            count = 1
            changed = int(mark(tx, payload.story_id, payload.team_id, state=payload.state, pinned=payload.pinned))
        else:
            assert payload.state is not None
            texts.hold(tx, payload.story_id)
            following = sorted(row["team_id"] for row in SQL.all(tx, "team_followers", story_id=payload.story_id))
            count = len(following)
            moves = {"story_id": payload.story_id, "teams": following, "state": payload.state}
            changed = SQL.run(tx, "team_states_of_followers", **moves)
        outcome = "updated" if changed else "unchanged" if count else "no_followers"
        output = {"outcome": outcome, "teams": count, "changed": changed}
        ctx.complete(output)
    return output


def mark(tx: Connection, story_id: UUID, team_id: UUID, *, state: str | None, pinned: bool | None) -> bool:
    """Set a story's state and star for one team. A value of None changes nothing. Returns whether anything changed."""
    texts.hold(tx, story_id)
    given = {"story_id": story_id, "team_id": team_id}
    is_moved = state is not None and SQL.one(tx, "team_state_set", **given, state=state) is not None
    is_pinned = pinned is not None and SQL.one(tx, "team_pin", **given, pinned=pinned) is not None
    return is_moved or is_pinned
