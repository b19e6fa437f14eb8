-- Add amounts to the costs of jobs that the worker holds. For each job, return the cost's currency and, as "missed", that of a budget that cannot count it.
SELECT given.id, c.currency, c.missed
FROM unnest(%(ids)s::uuid[], %(claims)s::bigint[], %(amounts)s::numeric[]) AS given (id, claim, amount)
CROSS JOIN LATERAL zeke_jobs.add_cost(%(worker)s::uuid, given.id, given.claim, given.amount, %(currency)s) AS c
WHERE c.currency IS NOT NULL
