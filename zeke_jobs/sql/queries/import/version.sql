-- Return the version of pg-boss's schema (21 to 24 mean pg-boss 10, 25 means 11.0, 26 means 11.1 or 12, more means 12), and the time since which jobs are recent.
SELECT max(v.version) AS version, zeke_jobs.now() - %(recent)s::interval AS since FROM version AS v
