-- The count of a change takes a limit too.

DROP FUNCTION IF EXISTS zeke_jobs.count_changes(text, jsonb, jsonb);
