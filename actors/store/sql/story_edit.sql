-- Set a story's title to the new title at its source, if the pipeline wrote the old title. A person's title is kept.
WITH edited AS (
    UPDATE public.stories AS s
    SET title = %(title)s, updated_at = zeke_jobs.now()
    FROM public.content_details AS d
    WHERE s.id = %(story_id)s
        AND d.content_id = s.content_id
        AND s.title IS NOT DISTINCT FROM d.written_title
        AND s.title IS DISTINCT FROM %(title)s
    RETURNING s.content_id, s.title
)
UPDATE public.content_details AS d
SET written_title = edited.title
FROM edited
WHERE d.content_id = edited.content_id
