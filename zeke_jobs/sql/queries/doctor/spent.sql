-- Daily budgets that are used up.
SELECT m.gate, m.unit, m.amount, t.used
FROM zeke_jobs.meter AS m
CROSS JOIN LATERAL (SELECT zeke_jobs.taken(m.gate, m.unit, '', zeke_jobs.now()) AS used) AS t
WHERE m.zone IS NOT NULL AND t.used >= m.amount
ORDER BY m.gate
