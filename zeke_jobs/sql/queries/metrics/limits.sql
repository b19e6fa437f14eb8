-- Exported figures of limits, of single tasks and shared.
SELECT g.name, g.active, g.concurrency, g.used, g.rate_count, g.closed_by, g.meters FROM zeke_jobs.gate_use AS g ORDER BY g.name
