-- Set the status of raw items by their outcome.
UPDATE public.raw_items
SET status = %(status)s, updated_at = zeke_jobs.now()
WHERE id = ANY (%(ids)s::uuid[]) AND status IS DISTINCT FROM %(status)s
