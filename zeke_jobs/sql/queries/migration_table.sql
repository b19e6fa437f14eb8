-- Where applied migrations are recorded; also makes the schema that all else lives in.
DO $$
BEGIN
  IF to_regnamespace('zeke_jobs') IS NULL THEN
    CREATE SCHEMA zeke_jobs;
  END IF;
  CREATE TABLE IF NOT EXISTS zeke_jobs.migration (
    package text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    breaking boolean NOT NULL DEFAULT false,
    applied_on timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT migration_pkey PRIMARY KEY (package, name)
  );
  -- What it made outside of the schema zeke_jobs: so much an uninstall may remove, and no more.
  ALTER TABLE zeke_jobs.migration ADD COLUMN IF NOT EXISTS made text[] NOT NULL DEFAULT '{}';
END
$$
