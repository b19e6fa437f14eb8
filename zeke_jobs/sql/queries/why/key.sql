-- Active jobs of a task with the key of a given job, also under a former name.
SELECT q.message_id AS id, q.task, w.host, w.pid, coalesce(q.started_on, q.claimed_on) AS since
FROM zeke_jobs.queue AS q
LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
WHERE q.state = 'consumed' AND q.task = ANY (ARRAY(
    SELECT n.name FROM zeke_jobs.task AS t CROSS JOIN LATERAL unnest(t.id || t.aliases) AS n (name) WHERE t.id = %(task)s))
  AND q.key = (SELECT j.key FROM zeke_jobs.queue AS j WHERE j.message_id = %(id)s::uuid)
ORDER BY since
