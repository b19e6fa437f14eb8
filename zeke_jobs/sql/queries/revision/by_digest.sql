-- Return the number of the newest revision of jobs.yaml with this digest.
SELECT number FROM zeke_jobs.revision WHERE digest = %(digest)s ORDER BY number DESC LIMIT 1
