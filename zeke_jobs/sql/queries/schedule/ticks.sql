-- Of a schedule's ticks at the given times, return those that were already sent or skipped.
SELECT scheduled_for, outcome, job
FROM zeke_jobs.tick WHERE task = %(task)s AND scheduled_for = ANY (%(ticks)s::timestamptz[])
