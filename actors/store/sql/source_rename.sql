-- Give a source another name.
UPDATE public.sources
SET name = %(name)s, updated_at = zeke_jobs.now()
WHERE id = %(source_id)s::uuid AND name IS DISTINCT FROM %(name)s
