-- Exported figures of costs.
SELECT c.task, c.currency, c.cost FROM zeke_jobs.task_cost AS c ORDER BY c.task, c.currency
