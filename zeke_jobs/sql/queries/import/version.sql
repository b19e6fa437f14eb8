-- Return the version of pg-boss's schema (21 to 24: pg-boss 10; 25: 11.0; 26: 11.1 or 12; more: 12), and the time since which ended jobs count as recent.
SELECT max(v.version) AS version, zeke_jobs.now() - %(recent)s::interval AS since FROM version AS v
