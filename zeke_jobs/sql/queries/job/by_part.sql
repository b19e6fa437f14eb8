-- Return the jobs whose id begins or ends with the given hexadecimal digits, the newest first. A search by the end of the id reads all jobs.
SELECT j.id, j.name AS task_id, j.state::text AS status, j.created_on
FROM zeke_jobs.job AS j WHERE j.id BETWEEN rpad(%(part)s, 32, '0')::uuid AND rpad(%(part)s, 32, 'f')::uuid
UNION
SELECT j.id, j.name, j.state::text, j.created_on
FROM zeke_jobs.job AS j WHERE right(replace(j.id::text, '-', ''), length(%(part)s)) = %(part)s
ORDER BY created_on DESC LIMIT %(limit)s
