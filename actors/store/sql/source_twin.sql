-- The source that has all given items; of several sources, the oldest.
SELECT s.id, s.name
FROM public.sources AS s
WHERE s.type <> 'manual'
  AND NOT EXISTS (
    SELECT FROM unnest(%(items)s::text[], %(urls)s::text[]) AS given (external_id, url)
    WHERE NOT EXISTS (
      SELECT FROM public.raw_items AS r
      WHERE r.source_id = s.id AND r.external_id = given.external_id AND r.url IS NOT DISTINCT FROM given.url))
ORDER BY s.created_at, s.id
LIMIT 1
