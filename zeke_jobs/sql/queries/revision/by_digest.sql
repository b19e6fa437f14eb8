-- The newest revision with this text.
SELECT number FROM zeke_jobs.revision WHERE digest = %(digest)s ORDER BY number DESC LIMIT 1
