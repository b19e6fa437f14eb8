-- Mark the pipeline's highlights whose text is no longer in the story. The rows stay, because other tables may refer to them.
UPDATE public.highlights
SET metadata = metadata || '{"withdrawn": true}', updated_at = zeke_jobs.now()
WHERE story_id = %(story_id)s::uuid
  AND team_id IS NOT DISTINCT FROM %(team_id)s::uuid
  AND origin = 'system'
  AND is_generated
  AND metadata ? 'text'
  AND metadata ->> 'text' <> %(text)s
  AND NOT metadata ? 'withdrawn'
  AND NOT id = ANY (%(kept)s::uuid[])
