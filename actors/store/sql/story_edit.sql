-- A story whose source edited it.
UPDATE public.stories
SET title = COALESCE(%(title)s, title), updated_at = zeke_jobs.now()
WHERE id = %(story_id)s
