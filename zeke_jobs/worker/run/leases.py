"""Leases: they limit how many jobs of the fleet use the same resource, such as a host that is named at run time."""

import random
from datetime import UTC, timedelta
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.errors import ClaimLost, Defer
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim

_AGAIN_IN = (1.0, 3.0)  # seconds before the next try, chosen at random so that waiting jobs do not come back together


def take(
    conn: Connection, name: str, limit: int, claim: Claim, worker: UUID, *, wait: timedelta | float | None = None
) -> None:
    """Take a lease for a job that ``worker`` runs. It ends with ``release``, or with the claim."""
    if limit < 1:
        raise ValueError(f"expected a limit of at least 1 for the lease {name}, got {limit}")
    row = SQL.only(conn, "lease/take", name=name, limit=limit, worker=worker, job=claim.id, claim=claim.number)
    if row["outcome"] == "lost":
        raise ClaimLost(f"job {claim.id} is no longer ours, or was cancelled; it gets no lease")
    if row["outcome"] == "taken":
        since = f"{row['since'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        raise taken(name, f"by {row['task']} {row['holder']} since {since}", wait)


def taken(name: str, by: str, wait: timedelta | float | None) -> Defer:
    """The exception for a job that does not get a lease."""
    chance = random.uniform(*_AGAIN_IN)  # noqa: S311 (it spreads load, no secrets)
    return Defer(chance if wait is None else wait, f"lease {name} is taken {by}")


def release(conn: Connection, name: str, claim: Claim) -> None:
    """Give a lease back."""
    SQL.run(conn, "lease/release", name=name, job=claim.id, claim=claim.number)
