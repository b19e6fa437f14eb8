-- A source's job ended without asking it: the next pull may queue it again.
UPDATE public.source_polling
SET queued_at = NULL, updated_at = zeke_jobs.now()
WHERE source_id = %(source_id)s AND queued_at IS NOT NULL
