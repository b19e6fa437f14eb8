-- Let the teams of a merged source follow the other source.
UPDATE public.sources AS s
SET
  metadata = jsonb_set(s.metadata, '{teams}', (
    SELECT jsonb_agg(DISTINCT team.name)
    FROM jsonb_array_elements(
      coalesce(CASE jsonb_typeof(s.metadata -> 'teams') WHEN 'array' THEN s.metadata -> 'teams' END, '[]')
      || (old.metadata -> 'teams')) AS team (name))),
  updated_at = zeke_jobs.now()
FROM public.sources AS old
WHERE s.id = %(into)s::uuid
  AND old.id = %(source_id)s::uuid
  AND jsonb_typeof(old.metadata -> 'teams') = 'array'
  AND old.metadata -> 'teams' <> '[]'
