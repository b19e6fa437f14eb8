-- Return the version of pg-boss's schema (21 to 24 is pg-boss 10, 25 is 11.0, 26 is 11.1 or 12, more is 12), and the current time minus "recent".
SELECT max(v.version) AS version, zeke_jobs.now() - %(recent)s::interval AS since FROM version AS v
