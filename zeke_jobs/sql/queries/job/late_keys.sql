-- Give keys to jobs whose send was under way while their task got a per-key limit.
SELECT zeke_jobs.give_late_keys() AS jobs
