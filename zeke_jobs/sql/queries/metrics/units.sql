-- For the metrics, return the units (such as tokens) and costs that each limit has counted, and the maximum that the limit allows.
SELECT
  l.name AS "limit",
  u.value ->> 'unit' AS unit,
  (u.value -> 'used')::numeric AS limit_unit_used,
  (u.value -> 'amount')::numeric AS limit_unit
FROM zeke_jobs.limit_use AS l
CROSS JOIN LATERAL jsonb_array_elements(l.units) AS u (value)
ORDER BY l.name
