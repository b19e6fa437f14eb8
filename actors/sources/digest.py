"""The digest that follows a pull or an upload: sent when the last of its stories is analysed and has its brief."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from actors.store import digests

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from zeke_jobs import Context

Period = Literal["day", "week"]


def open_batch(ctx: Context[Any], tx: Connection, kind: str, period: Period) -> Any:
    """Open the batch of this job's stories, with the digest of the period that ends today at its end."""
    then = ("generate-brief", {"period": period, "ends_on": digests.today(tx).isoformat()})
    return ctx.batch(f"{kind}/{ctx.job_id}", then=then)
