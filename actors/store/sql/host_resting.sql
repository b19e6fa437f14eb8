-- The end of a host's rest.
SELECT r.until
FROM public.host_rests AS r
WHERE r.host = %(host)s AND r.until > zeke_jobs.now()
