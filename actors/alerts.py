"""Records an analysed story for each receiver with a matching alert, and sends the jobs that deliver to receivers."""

from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.store import SQL
from zeke_jobs import Context
from zeke_jobs.errors import UnknownTask


def raise_for(ctx: Context[Any], tx: Connection, story_id: UUID) -> None:
    """Record a story and send deliver-alert for each receiver with a matching alert. The caller locks the event."""
    for row in SQL.all(tx, "alert_hits", story_id=story_id):
        send(ctx, row["receiver"])


def send(ctx: Context[Any], receiver: str) -> None:
    """Send the job that delivers to a receiver, unless this job is queued already. Call this function in a transaction."""
    try:
        ctx.send("deliver-alert", {"receiver": receiver}, key=receiver, unique="receiver")
    except UnknownTask as error:
        ctx.logger.warning("what an alert has found waits", receiver=receiver, reason=str(error))
