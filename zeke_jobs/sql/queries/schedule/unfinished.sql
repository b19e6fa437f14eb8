-- Return a schedule's newest unfinished job. Search only the last fifty jobs under each current or former name, because an index of all jobs would slow sends.
SELECT
  s.job, s.scheduled_for,
  zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text AS status
FROM unnest(%(names)s::text[]) AS n (name)
CROSS JOIN LATERAL (
  SELECT k.job, k.scheduled_for
  FROM zeke_jobs.tick AS k WHERE k.task = n.name AND k.outcome = 'sent' AND k.origin = 'schedule'
  ORDER BY k.scheduled_for DESC LIMIT 50
) AS s
JOIN zeke_jobs.queue AS q ON q.message_id = s.job AND q.state IN ('queued', 'consumed')
ORDER BY s.scheduled_for DESC LIMIT 1
