-- Update some highlights of the pipeline; a person's highlights never change.
UPDATE public.highlights AS h
SET
  kind = n.kind,
  title = n.title,
  summary = n.summary,
  quote = n.quote,
  metadata = (h.metadata - 'withdrawn') || n.metadata,
  updated_at = zeke_jobs.now()
FROM jsonb_to_recordset(%(highlights)s) AS n (id uuid, kind text, title text, summary text, quote text, metadata jsonb)
WHERE h.id = n.id
  AND h.origin = 'system'
  AND (h.kind, h.title, h.summary, h.quote, h.metadata)
    IS DISTINCT FROM (n.kind, n.title, n.summary, n.quote, (h.metadata - 'withdrawn') || n.metadata)
