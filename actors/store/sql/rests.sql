-- The hosts and providers that are in a pause, the longest first: all, or the given ones.
SELECT r.who, r.until, r.why
FROM public.rests AS r
WHERE r.until > zeke_jobs.now() AND (%(of)s::text[] IS NULL OR r.who = ANY (%(of)s::text[]))
ORDER BY r.until DESC, r.who
