-- Return the ticks among "ticks" of a schedule that are already decided.
SELECT scheduled_for, outcome, job
FROM zeke_jobs.tick WHERE task = %(task)s AND scheduled_for = ANY (%(ticks)s::timestamptz[])
