-- Add to a job's cost; only its holder may do so. Returns the currency, which is that of the first amount, and the currency of a budget that
-- does not count the cost.
SELECT c.currency, c.missed
FROM zeke_jobs.add_cost(%(worker)s::uuid, %(id)s::uuid, %(claim)s::bigint, %(amount)s::numeric, %(currency)s) AS c
WHERE c.currency IS NOT NULL
