-- In these queues, count due jobs, active jobs, and jobs that were claimed since a given time and now wait for a retry.
SELECT
  (SELECT sum(zeke_jobs.due_jobs(n.queue)) FROM unnest(CAST(%(queues)s AS text[])) AS n (queue))
  + (
    SELECT count(*)
    FROM zeke_jobs.task AS t
    JOIN zeke_jobs.queue AS q ON q.state = 'queued' AND q.queue_name = t.queue AND q.task = t.id
    WHERE t.queue = ANY (%(queues)s)
      AND q.claimed_on >= %(since)s
      AND q.attempts -> -1 ->> 'outcome' IN ('retry', 'died')
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = t.id))
