-- Let a host rest; a longer rest from before stays. Rows stay: there is one for each host that ever asked.
INSERT INTO public.host_rests AS r (host, until)
VALUES (%(host)s, zeke_jobs.now() + %(wait)s::interval)
ON CONFLICT (host) DO UPDATE SET until = GREATEST(r.until, EXCLUDED.until)
