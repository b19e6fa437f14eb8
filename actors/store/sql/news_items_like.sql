-- Items whose address, or that of their text, contains one of these; the caller compares canonical addresses.
SELECT
  r.id,
  r.url,
  r.title,
  r.external_id,
  r.status,
  r.created_at,
  src.id AS source_id,
  src.name AS source,
  i.outcome,
  i.detail,
  i.attempts,
  i.queued_at,
  i.queued_count,
  i.decided_at,
  coalesce(i.story_id, s.id) AS story_id,
  d.canonical_url,
  d.final_url
FROM public.raw_items AS r
JOIN public.sources AS src ON src.id = r.source_id
LEFT JOIN public.item_outcomes AS i ON i.raw_item_id = r.id
LEFT JOIN public.contents AS c ON c.raw_item_id = r.id
LEFT JOIN public.content_details AS d ON d.content_id = c.id
LEFT JOIN public.stories AS s ON s.content_id = c.id
WHERE EXISTS (
  SELECT FROM unnest(%(parts)s::text[]) AS named (part)
  WHERE strpos(lower(r.url), named.part) > 0
    OR strpos(lower(d.canonical_url), named.part) > 0
    OR strpos(lower(d.final_url), named.part) > 0)
ORDER BY r.created_at DESC, r.id
LIMIT 200
