"""Runs deliver-alert, which sends a receiver one message with the stories that the receiver's alerts have found."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from actors import alerts
from actors.briefs.delivery.channels import Message, channels
from actors.briefs.delivery.settings import AlertSettings, Receiver
from actors.schema import DeliverAlert
from actors.store import SQL
from zeke_jobs import Context, Defer, Reject, Retry
from zeke_jobs.core.redaction import redact

_LOOK = timedelta(minutes=15)  # the longest time until the job sees a change of the quiet hours in jobs.yaml
_MOST = 50  # maximum number of stories in one message; further stories come in the next message


def deliver_alert(payload: DeliverAlert, ctx: Context[AlertSettings]) -> dict[str, Any]:
    """Send the receiver its waiting stories. If this fails, they wait for the next attempt or for a later job.

    Raises:
        Defer: the receiver has quiet hours, or has already got its maximum number of messages per hour.
        Retry: the receiver could not be reached, and another attempt may succeed.
        Reject: the receiver refused the message, or is missing in jobs.yaml.
    """
    name = payload.receiver
    receiver = ctx.settings.receivers.get(name)
    if receiver is None:
        known = ", ".join(sorted(ctx.settings.receivers)) or "none"
        _wait(ctx, name, f"jobs.yaml has no receiver {name}")
        raise Reject(f"expected a receiver in the settings of deliver-alert, got {name!r}; there are: {known}")
    with ctx.lease(f"alert/{name}"):  # no other job sends to this receiver at the same time
        return _deliver(ctx, name, receiver)


def _deliver(ctx: Context[AlertSettings], name: str, receiver: Receiver) -> dict[str, Any]:
    with ctx.transaction() as tx:
        SQL.all(tx, "alerts_hold", receiver=name)
        SQL.run(tx, "alert_copies_drop", receiver=name)
        rows = SQL.all(tx, "alert_pending", receiver=name, most=_MOST)
        recent = SQL.only(tx, "alert_recent", receiver=name)
        wait = _pause(receiver, recent["now"], recent["sent"])
        stories = [row["story_id"] for row in rows]
        if wait is None:  # store the message's stories, so that the message stays the same if this worker dies
            SQL.run(tx, "alert_offer", receiver=name, stories=stories)
    if not rows:
        return {"outcome": "nothing_waits"}
    if wait is not None:
        _wait(ctx, name, wait[1], is_kept=True)
        raise Defer(min(wait[0], recent["now"] + _LOOK), wait[1])
    named = ", ".join(dict.fromkeys(row["alert"] for row in rows))
    title = f"{named}: {rows[0]['title'] or '(no title)'}" if len(rows) == 1 else f"{named}: {len(rows)} events"
    ids = sorted(map(str, stories))
    digest = {"title": title, "entries": [{**row, "story_id": str(row["story_id"])} for row in rows]}
    message_id = f"alert-{hashlib.sha256(name.encode()).hexdigest()[:8]}-{ids[0]}"
    told = {"type": "alert", "receiver": name, **digest}
    try:
        for _, deliver in channels(receiver):
            deliver(Message(message_id, f"{name} {' '.join(ids)}", digest, told))
    except (Retry, Reject) as error:
        ctx.logger.warning("an alert was not delivered", receiver=name, reason=str(error))
        _wait(ctx, name, str(error))
        raise
    output = {"outcome": "sent", "stories": len(rows)}
    with ctx.transaction() as tx:
        SQL.run(tx, "alert_sent", receiver=name, stories=stories)
        if SQL.all(tx, "alert_pending", receiver=name, most=1):
            alerts.send(ctx, name)
        ctx.complete(output)
    return output


def _pause(receiver: Receiver, now: datetime, sent: Sequence[datetime]) -> tuple[datetime, str] | None:
    """Return the time until which the receiver must not get a message, and the reason; or None if it may get one."""
    quiet = receiver.quiet.until(now) if receiver.quiet else None
    if quiet is not None:
        return quiet, f"quiet hours until {quiet:%Y-%m-%d %H:%M %Z}"
    if len(sent) >= receiver.hourly:
        free = sent[-receiver.hourly] + timedelta(hours=1)
        return free, f"{len(sent)} messages in an hour; the next at {free:%H:%M:%S %Z}"
    return None


def _wait(ctx: Context[AlertSettings], receiver: str, why: str, *, is_kept: bool = False) -> None:
    with ctx.transaction() as tx:
        SQL.run(tx, "alert_wait", receiver=receiver, detail=redact(why)[:500], is_kept=is_kept)
