-- Let somebody rest; a longer rest from before stays. Rows stay: there is one for each that ever asked.
INSERT INTO public.rests AS r (who, until, why)
VALUES (%(who)s, zeke_jobs.now() + %(wait)s::interval, %(why)s)
ON CONFLICT (who) DO UPDATE SET until = EXCLUDED.until, why = EXCLUDED.why
WHERE r.until < EXCLUDED.until
