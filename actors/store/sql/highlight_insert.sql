-- A new highlight under an id that its story, team and words decide: two workers cannot store it twice.
INSERT INTO public.highlights (
  id, story_id, team_id, created_by, kind, origin, title, summary, quote, is_generated, metadata, created_at, updated_at)
VALUES (
  %(id)s::uuid, %(story_id)s::uuid, %(team_id)s::uuid, %(created_by)s, %(kind)s, %(origin)s, %(title)s, %(summary)s,
  %(quote)s, %(is_generated)s, %(metadata)s, zeke_jobs.now(), zeke_jobs.now())
ON CONFLICT (id) DO NOTHING
