-- Return the result of a job's wait for an event, or no row if the job still waits or never waited for the event.
SELECT w.data::text AS data, w.came_on IS NULL AS timed_out
FROM zeke_jobs.wait AS w
WHERE w.job = %(id)s::uuid AND w.event = %(event)s AND (w.came_on IS NOT NULL OR w.until <= zeke_jobs.now())
