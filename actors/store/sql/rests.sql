-- The hosts and providers to which requests are paused, the longest pause first: all, or those named in "of".
SELECT r.who, r.until, r.why
FROM public.rests AS r
WHERE r.until > zeke_jobs.now() AND (%(of)s::text[] IS NULL OR r.who = ANY (%(of)s::text[]))
ORDER BY r.until DESC, r.who
