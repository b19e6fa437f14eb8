-- Return the number of the newest revision with this digest.
SELECT number FROM zeke_jobs.revision WHERE digest = %(digest)s ORDER BY number DESC LIMIT 1
