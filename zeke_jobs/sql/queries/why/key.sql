-- Active jobs of a task with the key of a given job, also under a former name; of a chunk only one.
SELECT h.id, h.task, h.host, h.pid, h.since
FROM (
  SELECT DISTINCT ON (q.worker, q.claimed_on, CASE WHEN t.chunk IS NULL THEN q.message_id END)
    q.message_id AS id, q.task, w.host, w.pid, coalesce(q.started_on, q.claimed_on) AS since
  FROM zeke_jobs.task AS t
  JOIN zeke_jobs.queue AS q ON q.state = 'consumed' AND q.task = ANY (t.id || t.aliases)
  LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
  WHERE t.id = %(task)s AND q.key = (SELECT j.key FROM zeke_jobs.queue AS j WHERE j.message_id = %(id)s::uuid)
) AS h
ORDER BY h.since
