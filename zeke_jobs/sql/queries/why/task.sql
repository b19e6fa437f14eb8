-- Return the settings of a task that decide when its jobs run.
SELECT
  t.id, t.queue, t.limits, t.per_key, t.share, t.chunk,
  (t.definition ->> 'timeout')::interval AS timeout,
  t.definition, t.unique_fields, t.unique_while
FROM zeke_jobs.known_task(%(task)s) AS k
JOIN zeke_jobs.task AS t ON t.id = k.id
