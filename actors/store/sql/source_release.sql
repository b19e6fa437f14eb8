-- Let the next pull queue a source again if its job ended without a poll.
UPDATE public.source_polling
SET queued_at = NULL, updated_at = zeke_jobs.now()
WHERE source_id = %(source_id)s AND queued_at IS NOT NULL
