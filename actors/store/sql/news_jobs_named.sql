-- The states of the jobs with the given ids.
SELECT j.id, j.name AS task, j.state::text AS state, j.output, j.error, j.waiting_for,
  j.start_after > zeke_jobs.now() + interval '20 seconds' AS is_later, j.start_after
FROM zeke_jobs.job AS j
WHERE j.id = ANY (%(ids)s::uuid[])
