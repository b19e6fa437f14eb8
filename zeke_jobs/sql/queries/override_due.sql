-- Paths of the overrides in force that are over: their time has come, or the jobs of the removed task have ended.
SELECT o.value -> 'path' AS path
FROM (SELECT r.overrides FROM zeke_jobs.revision AS r ORDER BY r.number DESC LIMIT 1) AS latest
CROSS JOIN jsonb_array_elements(latest.overrides) AS o (value)
WHERE (o.value ->> 'until')::timestamptz <= zeke_jobs.now()
  OR o.value ->> 'drains' IS NOT NULL
  AND NOT EXISTS (
    SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = o.value #>> '{path,1}')
  AND NOT EXISTS (
    SELECT 1 FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = o.value ->> 'drains' AND q.task = o.value #>> '{path,1}')
  AND NOT EXISTS (
    SELECT 1 FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = o.value ->> 'drains' AND q.task = o.value #>> '{path,1}')
