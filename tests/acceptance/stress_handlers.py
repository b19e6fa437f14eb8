"""The handler of the stress test: it records its start and end, and commits its effect together with its completion."""

from __future__ import annotations

import os
import time

from zeke_jobs import Context, Payload


class Load(Payload):
    seconds: float = 0.0
    fails: int = 0
    child: bool = False
    plain: bool = False


def stress(payload: Load, ctx: Context) -> None:
    """Fails as often as it is told to; sends a child, completes by ``ctx.complete`` or by its return, as it is told."""
    with ctx.db.cursor() as cursor:
        sql = "INSERT INTO trace (job, pid, attempt) VALUES (%s, %s, %s) RETURNING id"
        cursor.execute(sql, (str(ctx.job_id), os.getpid(), ctx.attempt))
        (trace,) = cursor.fetchone() or (None,)
    time.sleep(payload.seconds)
    # Before the completion commits: from then on another job may begin.
    with ctx.db.cursor() as cursor:
        cursor.execute("UPDATE trace SET ended = clock_timestamp() WHERE id = %s", (trace,))
    if ctx.attempt <= payload.fails:
        raise RuntimeError("told to fail")
    if payload.plain:
        return
    with ctx.transaction() as db, db.cursor() as cursor:
        cursor.execute("INSERT INTO effect (job) VALUES (%s)", (str(ctx.job_id),))
        if payload.child:
            ctx.send("limited", {"seconds": 0.002})
        ctx.complete()
