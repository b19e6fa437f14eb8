-- Until when a host is left alone.
SELECT r.until
FROM public.host_rests AS r
WHERE r.host = %(host)s AND r.until > zeke_jobs.now()
