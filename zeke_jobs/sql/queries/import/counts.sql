-- Return each queue of pg-boss, the task with this id or alias, and the queue's numbers of unfinished and recent jobs. Omit internal queues and imported jobs.
SELECT c.name, t.id AS task_id, c.queued, c.later, c.active, c.recent
FROM (
  SELECT j.name,
    count(*) FILTER (WHERE j.state::text IN ('created', 'retry'))::integer AS queued,
    count(*) FILTER (WHERE j.state::text IN ('created', 'retry') AND j.start_after > now())::integer AS later,
    count(*) FILTER (WHERE j.state::text = 'active')::integer AS active,
    count(*) FILTER (WHERE j.state::text IN ('completed', 'failed'))::integer AS recent
  FROM job AS j WHERE NOT starts_with(j.name, '__pgboss__')
    AND (j.state::text IN ('created', 'retry', 'active') OR j.state::text IN ('completed', 'failed') AND j.completed_on >= %(since)s::timestamptz)
    AND NOT EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = %(source)s AND i.source_id = j.id AND i.name = j.name)
  GROUP BY j.name
) AS c
LEFT JOIN LATERAL zeke_jobs.find_task(c.name) AS t ON true
ORDER BY c.name COLLATE "C"
