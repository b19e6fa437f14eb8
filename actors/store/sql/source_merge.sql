-- Move the items, stories, uploads and teams of a source to another one; returns the number of items. An item gets a new name if the other has it.
WITH
items AS (
  UPDATE public.raw_items AS r
  SET
    source_id = %(into)s::uuid,
    external_id = CASE
      WHEN EXISTS (
        SELECT FROM public.raw_items AS t WHERE t.source_id = %(into)s::uuid AND t.external_id = r.external_id)
      THEN left(r.external_id, 400) || ' of ' || r.id::text
      ELSE r.external_id
    END,
    updated_at = zeke_jobs.now()
  WHERE r.source_id = %(source_id)s::uuid
  RETURNING r.id
),
stories AS (
  UPDATE public.stories
  SET primary_source_id = %(into)s::uuid, updated_at = zeke_jobs.now()
  WHERE primary_source_id = %(source_id)s::uuid
),
uploads AS (
  UPDATE public.uploads SET source_id = %(into)s::uuid WHERE source_id = %(source_id)s::uuid
),
teams AS (
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
)
SELECT count(*) FROM items
