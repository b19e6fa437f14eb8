-- Switch a source on or off.
UPDATE public.sources
SET is_active = %(is_active)s, updated_at = zeke_jobs.now()
WHERE id = %(source_id)s AND is_active IS DISTINCT FROM %(is_active)s
