"""stories-update-status: a story's state for a team: unread, read, archived."""

from __future__ import annotations

from typing import Any

from actors.schema import StoriesUpdateStatus  # noqa: TC001 (the handler is read by its annotations)
from actors.store import team_states, texts
from zeke_jobs import Context  # noqa: TC001


def stories_update_status(payload: StoriesUpdateStatus, ctx: Context) -> dict[str, Any]:
    """Set a story's state.

    With a team, the state changes for this team. Without one, the state of every team that follows one of the story's
    sources moves only forward: from unread to read to archived.

    ``pinned`` changes only the team's star.

    Raises:
        Reject: there is no such story.
    """
    with ctx.transaction() as tx:
        texts.needed(tx, payload.story_id)
        if payload.team_id is not None:
            teams = 1
            given = (payload.story_id, payload.team_id)
            moved = payload.state is not None and team_states.set_for_team(tx, *given, payload.state)
            pinned = payload.pinned is not None and team_states.pin(tx, *given, pinned=payload.pinned)
            changed = int(moved or pinned)
        else:
            assert payload.state is not None
            following = team_states.followers(tx, payload.story_id)
            teams = len(following)
            changed = team_states.advance(tx, payload.story_id, following, payload.state)
        outcome = "updated" if changed else "unchanged" if teams else "no_followers"
        output = {"outcome": outcome, "teams": teams, "changed": changed}
        ctx.complete(output)
    return output
