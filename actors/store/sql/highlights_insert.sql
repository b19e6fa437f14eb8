-- Add highlights. A highlight's id is a hash of story, team and words, so that two workers cannot store the same highlight twice.
INSERT INTO public.highlights (
  id, story_id, team_id, created_by, kind, origin, title, summary, quote, is_generated, metadata, created_at, updated_at)
SELECT
  h.id, h.story_id, h.team_id, h.created_by, h.kind, h.origin, h.title, h.summary, h.quote, h.is_generated, h.metadata,
  zeke_jobs.now(), zeke_jobs.now()
FROM jsonb_to_recordset(%(highlights)s) AS h (
  id uuid, story_id uuid, team_id uuid, created_by text, kind text, origin text, title text, summary text, quote text,
  is_generated boolean, metadata jsonb)
ORDER BY h.id
ON CONFLICT (id) DO NOTHING
