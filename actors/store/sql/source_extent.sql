-- How many items and stories a source has, how many of these stories are starred, and how many are also in other sources.
SELECT
  (SELECT count(*) FROM public.raw_items AS r WHERE r.source_id = %(source_id)s::uuid) AS items,
  count(*) AS stories,
  count(*) FILTER (WHERE EXISTS (SELECT FROM public.team_story_states AS t WHERE t.story_id = s.id AND t.pinned)) AS starred,
  count(*) FILTER (WHERE EXISTS (
    SELECT FROM public.item_outcomes AS o
    JOIN public.raw_items AS other ON other.id = o.raw_item_id
    WHERE o.story_id = s.id AND other.source_id <> %(source_id)s::uuid
      AND NOT EXISTS (SELECT FROM public.contents AS t WHERE t.raw_item_id = other.id)
  )) AS shared
FROM public.raw_items AS mine
JOIN public.contents AS c ON c.raw_item_id = mine.id
JOIN public.stories AS s ON s.content_id = c.id
WHERE mine.source_id = %(source_id)s::uuid
