"""``zeke-jobs logs``: the last log lines of each attempt of a job."""

from typing import Annotated

import zeke_jobs
from zeke_jobs.cli import database, ids, options
from zeke_jobs.cli.output import count, print_json, say
from zeke_jobs.cli.run import FAILED, FINE
from zeke_jobs.postgres.queries import SQL


def logs(
    job_id: ids.Id,
    attempt: Annotated[int | None, options.option("Only of this attempt.", "N", min=1)] = None,
    as_json: options.Json = False,
) -> int:
    """Show the last lines that each ended attempt logged or printed. Exit 1 when there are none.

    By default, attempts that completed keep none: `log` in jobs.yaml says which ones do, `log_lines` how many lines.
    """
    wanted = ids.find(job_id)
    with database.connection("logs") as conn:
        zeke_jobs.status(wanted)  # raises if there is no such job
        found = [row for row in SQL.all(conn, "job/log", id=wanted) if attempt in (None, row["attempt"])]
    if as_json:
        print_json([{**row, "lines": row["lines"].split("\n")} for row in found])
    elif not found:
        say("no lines: no attempt that keeps them (log in jobs.yaml) has ended and logged any", is_trouble=True)
    else:
        for row in found:
            earlier = f", {count(row['dropped'], 'earlier line')} not kept" if row["dropped"] else ""
            say(f"attempt {row['attempt']}{earlier}")
            say("\n".join(f"  {line}" for line in row["lines"].split("\n")))
    return FINE if found else FAILED
