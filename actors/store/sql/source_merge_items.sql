-- Move a source's items to another source. If that source has an item with the same identity, both are kept, and the moved item gets a suffix.
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
