-- Store a highlight's relevance; no row is touched when it is the same as before.
UPDATE public.highlights
SET metadata = metadata || jsonb_build_object('relevance', %(relevance)s::jsonb), updated_at = zeke_jobs.now()
WHERE id = %(id)s::uuid
  AND origin = 'system'
  AND metadata -> 'relevance' IS DISTINCT FROM %(relevance)s::jsonb
