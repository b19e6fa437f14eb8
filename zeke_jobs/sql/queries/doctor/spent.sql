-- Daily budgets whose rest is less than any job may need.
SELECT m.gate, m.unit, m.amount, t.used
FROM zeke_jobs.meter AS m
CROSS JOIN LATERAL (SELECT zeke_jobs.taken(m.gate, m.unit, '', zeke_jobs.now()) AS used) AS t
WHERE m.zone IS NOT NULL AND (t.used >= m.amount OR t.used > m.amount - (
    SELECT min(least(m.amount, coalesce(a.average, (k.units ->> m.unit)::numeric, 0)))
    FROM zeke_jobs.task AS k LEFT JOIN zeke_jobs.unit_average AS a ON a.task = k.id AND a.unit = m.unit
    WHERE m.gate = ANY (k.gates)))
ORDER BY m.gate
