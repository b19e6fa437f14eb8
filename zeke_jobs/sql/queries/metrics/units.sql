-- Return for the metrics the units and the money that limits have counted, and the maximum of each limit.
SELECT
  l.name AS "limit",
  u.value ->> 'unit' AS unit,
  (u.value -> 'used')::numeric AS limit_unit_used,
  (u.value -> 'amount')::numeric AS limit_unit
FROM zeke_jobs.limit_use AS l
CROSS JOIN LATERAL jsonb_array_elements(l.units) AS u (value)
ORDER BY l.name
