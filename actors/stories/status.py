"""stories-update-status: a story's state for a team: unread, read, archived."""

from __future__ import annotations

from typing import Any

from actors.schema import StoriesUpdateStatus  # noqa: TC001 (the handler is read by its annotations)
from actors.store import teams, texts
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
        texts.hold(tx, payload.story_id)
        if payload.team_id is not None:
            count = 1
            given = (payload.story_id, payload.team_id)
            moved = payload.state is not None and teams.set_state(tx, *given, payload.state)
            pinned = payload.pinned is not None and teams.pin(tx, *given, pinned=payload.pinned)
            changed = int(moved or pinned)
        else:
            assert payload.state is not None
            following = teams.followers(tx, payload.story_id)
            count = len(following)
            changed = teams.advance(tx, payload.story_id, following, payload.state)
        outcome = "updated" if changed else "unchanged" if count else "no_followers"
        output = {"outcome": outcome, "teams": count, "changed": changed}
        ctx.complete(output)
    return output
