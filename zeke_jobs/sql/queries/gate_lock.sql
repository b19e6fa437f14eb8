-- Let no claim pass until the transaction ends, also of tasks that have no limit by now: each locks rows of this table, if only none.
-- Who claims now waits, and then obeys the new limits.
LOCK TABLE zeke_jobs.gate IN EXCLUSIVE MODE
