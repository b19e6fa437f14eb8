-- Jobs of this worker that somebody cancelled. Who has a worker is active; said by the state, the planner might read the index of all that is,
-- and the dead entries of all that was.
SELECT message_id AS id, cancel_reason AS reason
FROM zeke_jobs.queue
WHERE worker = %(worker)s::uuid AND cancelled_on IS NOT NULL
