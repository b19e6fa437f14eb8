-- The number of pg-boss's schema: 24 is pg-boss 10, 25 is 11, from 26 on it is 12.
SELECT max(v.version) AS version
FROM version AS v
