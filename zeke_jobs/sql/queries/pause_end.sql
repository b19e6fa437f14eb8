-- End a pause, and wake the workers that can claim again.
WITH ended AS (
  DELETE FROM zeke_jobs.pause AS p
  WHERE p.target = %(target)s
  RETURNING p.target
),
rung AS (
  SELECT zeke_jobs.ring(q.queue)
  FROM (
    SELECT DISTINCT t.queue
    FROM ended AS e
    JOIN zeke_jobs.task AS t ON e.target IN ('task/' || t.id, 'queue/' || t.queue) OR e.target = ANY (t.gates)
  ) AS q
)
SELECT e.target
FROM ended AS e
WHERE (SELECT count(*) FROM rung) >= 0
