-- The due jobs that a job's chunk would have now, if it waits for more: their number, the chunk's size and wait, and the end of the wait.
SELECT c.due, c.size, c.wait, c.since + c.wait AS until
FROM (
  SELECT
    count(*) AS due,
    min(d.run_at) AS since,
    (t.chunk ->> 'size')::integer AS size,
    (t.chunk ->> 'wait')::interval AS wait
  FROM zeke_jobs.queue AS j
  JOIN zeke_jobs.task AS t ON t.id = j.task
  CROSS JOIN LATERAL (
    SELECT q.run_at FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.queue_name = j.queue_name AND q.task = j.task AND q.priority = j.priority
      AND q.run_at <= zeke_jobs.now() AND q.deaths < 2 AND (t.chunk ->> 'by' IS NULL OR q.key = j.key)
    ORDER BY q.run_at, q.seq
    LIMIT (t.chunk ->> 'size')::integer) AS d
  WHERE j.message_id = %(id)s::uuid AND j.deaths < 2 AND j.run_at <= zeke_jobs.now()
  GROUP BY t.chunk
) AS c
WHERE c.due < c.size AND c.since + c.wait > zeke_jobs.now()
