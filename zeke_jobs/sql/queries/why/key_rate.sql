-- The rate of a job's key, if it lets no job start now.
SELECT b.name, b.key_amount AS amount, b.key_period AS period, k.next_at
FROM zeke_jobs.bucket AS b
JOIN zeke_jobs.bucket_key AS k ON k.name = b.name
WHERE b.name = 'task/' || %(task)s AND b.unit = 'jobs' AND b.key_step IS NOT NULL AND k.next_at > zeke_jobs.now()
  AND k.key = (SELECT j.key FROM zeke_jobs.queue AS j WHERE j.message_id = %(id)s::uuid)
