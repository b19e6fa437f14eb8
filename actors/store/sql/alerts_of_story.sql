-- Which alerts match a story, and which story of the same event each receiver got.
SELECT
  a.name, r.receiver, a.min_chili, f.chili, f.is_new, f.is_fresh, f.is_hot, f.has_words, f.has_source,
  told.story_id, told.number, told.sent_at, told.detail, told.alert,
  job.id AS job, job.state, job.start_after
FROM public.alert_fits(%(story_id)s::uuid) AS f
JOIN public.alerts AS a ON a.id = f.alert_id
CROSS JOIN LATERAL unnest(a.receivers) AS r (receiver)
LEFT JOIN LATERAL (
  SELECT
    t.story_id, i.number, t.sent_at, by.name AS alert,
    (SELECT max(o.detail) FROM public.alert_stories AS o WHERE o.receiver = t.receiver AND o.sent_at IS NULL) AS detail
  FROM public.alert_stories AS t
  LEFT JOIN public.alerts AS by ON by.id = t.alert_id
  JOIN public.stories AS m ON m.id = t.story_id
  JOIN public.story_index AS i ON i.story_id = m.id
  WHERE t.receiver = r.receiver
    AND (m.id = %(story_id)s::uuid
      OR m.cluster_id = (SELECT s.cluster_id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid))
  ORDER BY m.id <> %(story_id)s::uuid, t.created_at
  LIMIT 1
) AS told ON true
LEFT JOIN LATERAL (
  SELECT j.id, j.state::text AS state, j.start_after
  FROM zeke_jobs.job AS j
  WHERE told.story_id IS NOT NULL AND told.sent_at IS NULL AND j.name = 'deliver-alert' AND j.key = r.receiver
  ORDER BY j.state IN ('retry', 'created', 'active') DESC, j.created_on DESC
  LIMIT 1
) AS job ON true
ORDER BY a.id, r.receiver
