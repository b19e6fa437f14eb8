-- Exported figures of workers and schedulers.
SELECT p.kind, p.state, p.processes, p.threads FROM zeke_jobs.process_state AS p ORDER BY p.kind, p.state
