"""deliver-digest: write the digest of a period and deliver it to each receiver, once."""

from __future__ import annotations

from typing import Any

from actors.briefs import rendering
from actors.briefs.delivery.channels import Message, NotDelivered, channels
from actors.briefs.delivery.settings import DeliverySettings  # noqa: TC001 (the handler is read by its annotations)
from actors.briefs.digest import write_digest
from actors.schema import DeliverDigest  # noqa: TC001
from actors.store import digests
from actors.store.statements import SQL
from zeke_jobs import Context, Reject, Retry
from zeke_jobs.core.redaction import redact


def deliver_digest(payload: DeliverDigest, ctx: Context[DeliverySettings]) -> dict[str, Any]:
    """Write the digest unless it exists, and deliver it to each receiver that does not have it yet.

    An unreachable receiver blocks no other. The job is tried again for the remaining receivers; a second mail has the same
    Message-ID, a second post the same id.

    Raises:
        Retry: a receiver could not be reached, and may be later.
        Reject: a receiver refused it.
    """
    with ctx.transaction() as tx:
        edition, output = write_digest(tx, payload, ctx.settings.digest_entries)
    digest = digests.get(ctx.db, period=edition.period, team_id=edition.team_id, ends_on=edition.ends_on)
    if digest is None or not digest["entries"]:
        return output
    delivered, failed = 0, []
    team = edition.team_id and str(edition.team_id)
    told = {
        "type": "digest",
        "period": edition.period,
        "endsOn": edition.ends_on.isoformat(),
        "teamId": team,
        "title": rendering.title(digest),
        "markdown": rendering.markdown(digest),
        "entries": digest["entries"],
    }
    message = Message(edition.name, team or "all", digest, told)
    for receiver, deliver in channels(ctx.settings):
        try:
            with ctx.lease(f"digest/{receiver}"[:200]):  # prevents a second run meanwhile
                if SQL.value(ctx.db, "delivery_get", **digests.key(edition, receiver)) is None:
                    deliver(message)
                    with ctx.transaction() as tx:
                        digests.note_delivery(tx, edition, receiver)
                    delivered += 1
        except NotDelivered as error:
            failed.append(error)
            ctx.logger.warning("a digest was not delivered", receiver=receiver, reason=str(error))
            with ctx.transaction() as tx:
                digests.note_delivery(tx, edition, receiver, failure=redact(str(error)))
    if failed:
        _again(failed)
    return {**output, "delivered": delivered}


def _again(failed: list[NotDelivered]) -> None:
    reason = "; ".join(str(error) for error in failed)
    passing = [error for error in failed if error.transient]
    if not passing:
        raise Reject(f"not delivered: {reason}")
    waits = [error.retry_after for error in passing if error.retry_after]
    raise Retry(max(waits, default=None), f"not delivered: {reason}")
