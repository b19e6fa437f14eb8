-- Mark sources that are sent outside a pull as queued, so that pulls skip them until they are read.
INSERT INTO public.source_polling AS p (source_id, next_check_at, queued_at)
SELECT id, zeke_jobs.now(), zeke_jobs.now()
FROM unnest(%(ids)s::uuid[]) AS named (id)
ORDER BY id
ON CONFLICT (source_id) DO UPDATE SET queued_at = zeke_jobs.now(), updated_at = zeke_jobs.now()
