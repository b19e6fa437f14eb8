"""Runs deliver-digest, which writes the digest of a period and delivers it to each receiver once."""

from typing import Any
from uuid import UUID

from actors.briefs import rendering
from actors.briefs.delivery.channels import Message, channels
from actors.briefs.delivery.settings import DeliverySettings
from actors.briefs.digest import write_digest
from actors.schema import DeliverDigest
from actors.store import SQL
from zeke_jobs import Context, Reject, Retry
from zeke_jobs.core.redaction import redact


def deliver_digest(payload: DeliverDigest, ctx: Context[DeliverySettings]) -> dict[str, Any]:
    """Write or update the digest, and deliver it to each receiver that does not have it yet.

    An unreachable receiver does not block the others; the job is retried for the receivers that were not reached. If a
    receiver gets a digest twice, both mails have the same Message-ID, or both POST requests have the same id.

    Raises:
        Retry: a receiver could not be reached, and another attempt may succeed.
        Reject: a receiver refused the digest.
    """
    with ctx.transaction() as tx:
        edition, output = write_digest(tx, payload, ctx.settings.digest_entries)
    digest = SQL.one(ctx.db, "digest_get", **edition)
    if digest is None or not digest["entries"]:
        return output
    delivered = 0
    failed: list[Retry | Reject] = []
    day, team = output["ends_on"], payload.team_id and str(payload.team_id)
    told = {"type": "digest", "period": payload.period, "endsOn": day, "teamId": team, "title": rendering.title(digest)}
    told |= {"markdown": rendering.markdown(digest), "entries": digest["entries"]}
    name = f"{payload.period}-{day}{f'-{team[:8]}' if team else ''}"
    message = Message(name, team or "all", digest, told)
    for receiver, deliver in channels(ctx.settings):
        key = {**edition, "team_id": payload.team_id or UUID(int=0), "receiver": receiver}
        try:
            with ctx.lease(f"digest/{receiver}"[:200]):  # no other job delivers to this receiver at the same time
                if SQL.value(ctx.db, "delivery_get", **key) is None:
                    deliver(message)
                    with ctx.transaction() as tx:
                        SQL.run(tx, "delivery_put", **key, detail=None)
                    delivered += 1
        except (Retry, Reject) as error:
            failed.append(error)
            ctx.logger.warning("a digest was not delivered", receiver=receiver, reason=str(error))
            with ctx.transaction() as tx:
                SQL.run(tx, "delivery_put", **key, detail=redact(str(error)))
    reason = "; ".join(map(str, failed))
    if passing := [error for error in failed if isinstance(error, Retry)]:
        raise Retry(max((error.delay for error in passing if error.delay), default=None), reason)
    if failed:
        raise Reject(reason)
    return {**output, "delivered": delivered}
