-- Return the last lines that each attempt of a job logged, in the order of the attempts.
SELECT l.attempt, l.lines, l.dropped, l.written_on
FROM zeke_jobs.job_log AS l WHERE l.job = %(id)s::uuid
ORDER BY l.claim
