-- The view of limits reads the table of rates, which goes with 0006; the code makes it anew.

DROP VIEW IF EXISTS zeke_jobs.gate_use;
