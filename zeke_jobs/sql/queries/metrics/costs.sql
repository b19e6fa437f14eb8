-- For the metrics, return the costs of each task in the last day, by currency.
SELECT c.task, c.currency, c.cost AS cost_last_day FROM zeke_jobs.task_cost AS c ORDER BY c.task, c.currency
