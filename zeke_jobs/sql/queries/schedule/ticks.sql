-- Of the given ticks (scheduled times) of a schedule, return those whose job was already sent or skipped.
SELECT scheduled_for, outcome, job
FROM zeke_jobs.tick WHERE task = %(task)s AND scheduled_for = ANY (%(ticks)s::timestamptz[])
