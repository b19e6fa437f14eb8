-- Items that belong to a story, have a given name within their source, or are in a mailbox's folder; and items whose own or text's address
-- contains all given parts. The caller then compares canonical addresses. The shortest address, with the fewest other parts, comes first.
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
  d.final_url,
  likely.length = 0 AS is_named
FROM public.raw_items AS r
JOIN public.sources AS src ON src.id = r.source_id
LEFT JOIN public.item_outcomes AS i ON i.raw_item_id = r.id
LEFT JOIN public.contents AS c ON c.raw_item_id = r.id
LEFT JOIN public.content_details AS d ON d.content_id = c.id
LEFT JOIN public.stories AS s ON s.content_id = c.id
CROSS JOIN LATERAL (
  SELECT
    CASE WHEN coalesce(i.story_id, s.id) = %(story_id)s::uuid OR r.external_id = %(name)s
      OR (src.type = 'newsletter' AND src.url = %(name)s) THEN 0 ELSE min(length(address)) END AS length
  FROM unnest(ARRAY[lower(r.url), lower(d.canonical_url), lower(d.final_url)]) AS known (address)
  WHERE strpos(address, %(query)s) > 0
    AND EXISTS (SELECT FROM unnest(%(hosts)s::text[]) AS host WHERE strpos(address, host) > 0)
    AND strpos(address, %(path)s) > 0
) AS likely
WHERE likely.length IS NOT NULL
ORDER BY likely.length, r.created_at DESC, r.id
LIMIT 200
