-- Return masked payloads of a task's queued jobs, for logins that may not read the table of jobs, such as members of the role zeke_jobs_reader.
SELECT j.id, j.data AS payload
FROM zeke_jobs.queue AS q
JOIN zeke_jobs.job AS j ON j.id = q.message_id
WHERE q.state = 'queued' AND q.task = %(task)s
ORDER BY q.seq LIMIT %(limit)s
