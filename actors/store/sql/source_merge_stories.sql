-- Move the stories of a source to another source.
UPDATE public.stories
SET primary_source_id = %(into)s::uuid, updated_at = zeke_jobs.now()
WHERE primary_source_id = %(source_id)s::uuid
