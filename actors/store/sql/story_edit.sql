-- A story whose source gave it another title.
UPDATE public.stories
SET title = %(title)s, updated_at = zeke_jobs.now()
WHERE id = %(story_id)s AND title IS DISTINCT FROM %(title)s
