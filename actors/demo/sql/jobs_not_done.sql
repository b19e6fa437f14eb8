-- Jobs that failed, or wait for another try, with their last error.
SELECT
    j.name AS task,
    j.state::text AS status,
    j.attempt,
    coalesce(j.error ->> 'type', '') AS type,
    coalesce(j.error ->> 'message', j.waiting_for, '') AS message,
    j.data
FROM zeke_jobs.job AS j
WHERE j.state NOT IN ('completed', 'active')
ORDER BY j.name, j.created_on
