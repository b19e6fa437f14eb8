-- Return the ticks of a schedule, at the times in "ticks", that are already decided.
SELECT scheduled_for, outcome, job
FROM zeke_jobs.tick WHERE task = %(task)s AND scheduled_for = ANY (%(ticks)s::timestamptz[])
