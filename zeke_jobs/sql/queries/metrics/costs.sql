-- The figures of costs that metrics export.
SELECT c.task, c.currency, c.cost AS cost_last_day FROM zeke_jobs.task_cost AS c ORDER BY c.task, c.currency
