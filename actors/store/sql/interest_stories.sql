-- Stories that a team starred, read or archived, and the stories of the last seven days, the newest first.
SELECT
  i.story_id AS id,
  i.number,
  s.title,
  coalesce(s.title, '') || E'\n' || coalesce(d.markdown, c.text_body, '') AS said,
  coalesce(t.state, 'unread') AS state,
  coalesce(t.pinned, false) AS is_starred,
  i.happened_at >= zeke_jobs.now() - interval '7 days' AS is_recent
FROM (
  (SELECT m.story_id FROM public.team_story_states AS m
   WHERE m.team_id = %(team)s::uuid AND (m.pinned OR m.state IN ('read', 'archived'))
   ORDER BY m.updated_at DESC LIMIT 500)
  UNION
  (SELECT n.story_id FROM public.story_index AS n
   WHERE n.happened_at >= zeke_jobs.now() - interval '7 days' ORDER BY n.happened_at DESC LIMIT 2000)
) AS wanted
JOIN public.story_index AS i ON i.story_id = wanted.story_id
JOIN public.stories AS s ON s.id = wanted.story_id
JOIN public.contents AS c ON c.id = s.content_id
LEFT JOIN public.content_details AS d ON d.content_id = c.id
LEFT JOIN public.team_story_states AS t ON t.story_id = wanted.story_id AND t.team_id = %(team)s::uuid
ORDER BY i.happened_at DESC, i.story_id
