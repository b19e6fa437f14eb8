-- Store the relevance of highlights; rows that do not change are not written.
UPDATE public.highlights AS h
SET metadata = h.metadata || jsonb_build_object('relevance', n.relevance), updated_at = zeke_jobs.now()
FROM jsonb_to_recordset(%(scores)s) AS n (id uuid, relevance jsonb)
WHERE h.id = n.id
  AND h.origin = 'system'
  AND h.metadata -> 'relevance' IS DISTINCT FROM n.relevance
