-- Before a source is removed, give its stories that are also in another source to that source, with their texts, so that these stories stay.
WITH heir AS MATERIALIZED (
  SELECT DISTINCT ON (s.id) s.id AS story_id, c.id AS content_id, r.id AS item_id, r.source_id
  FROM public.raw_items AS mine
  JOIN public.contents AS c ON c.raw_item_id = mine.id
  JOIN public.stories AS s ON s.content_id = c.id
  JOIN public.item_outcomes AS o ON o.story_id = s.id
  JOIN public.raw_items AS r ON r.id = o.raw_item_id AND r.source_id <> mine.source_id
  WHERE mine.source_id = %(source_id)s::uuid
    AND NOT EXISTS (SELECT FROM public.contents AS t WHERE t.raw_item_id = r.id)
  ORDER BY s.id, r.created_at, r.id
),
text AS (
  UPDATE public.contents AS c
  SET raw_item_id = heir.item_id, updated_at = zeke_jobs.now()
  FROM heir
  WHERE c.id = heir.content_id
),
outcome AS (
  UPDATE public.item_outcomes AS o
  SET outcome = 'stored', updated_at = zeke_jobs.now()
  FROM heir
  WHERE o.raw_item_id = heir.item_id
)
UPDATE public.stories AS s
SET primary_source_id = heir.source_id, updated_at = zeke_jobs.now()
FROM heir
WHERE s.id = heir.story_id
