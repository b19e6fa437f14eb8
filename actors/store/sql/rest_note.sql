-- Record until when no job sends requests to a host or provider; a longer pause is kept. Rows are never deleted: each host or provider that ever
-- asked for a pause has a row.
INSERT INTO public.rests AS r (who, until, why)
VALUES (%(who)s, zeke_jobs.now() + %(wait)s::interval, %(why)s)
ON CONFLICT (who) DO UPDATE SET until = EXCLUDED.until, why = EXCLUDED.why
WHERE r.until < EXCLUDED.until
