-- Return the daily budgets that are used up.
SELECT b.name, b.unit, b.amount, b.spent AS used
FROM zeke_jobs.bucket AS b
CROSS JOIN LATERAL zeke_jobs.room_of(ARRAY[b.name]) AS r
WHERE b.zone IS NOT NULL AND r.unit = b.unit AND r.room < 1
ORDER BY b.name
