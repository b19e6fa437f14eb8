-- Bring one of the pipeline's own highlights up to date; a person's is never touched.
UPDATE public.highlights
SET
  kind = %(kind)s,
  title = %(title)s,
  summary = %(summary)s,
  quote = %(quote)s,
  metadata = (metadata - 'withdrawn') || %(metadata)s,
  updated_at = zeke_jobs.now()
WHERE id = %(id)s::uuid
  AND origin = 'system'
  AND (kind, title, summary, quote, metadata)
    IS DISTINCT FROM (%(kind)s, %(title)s, %(summary)s, %(quote)s, (metadata - 'withdrawn') || %(metadata)s)
