-- Create the table of applied migrations and, before it, the schema of everything else.
DO $$
BEGIN
  WHILE to_regclass('zeke_jobs.migration') IS NULL LOOP
    BEGIN
      IF to_regnamespace('zeke_jobs') IS NULL THEN
        CREATE SCHEMA zeke_jobs;
      END IF;
      CREATE TABLE zeke_jobs.migration (
        package text NOT NULL,
        name text NOT NULL,
        checksum text NOT NULL,
        breaking boolean NOT NULL DEFAULT false,
        applied_on timestamptz NOT NULL DEFAULT clock_timestamp(),
        -- Objects that the migration made outside the schema zeke_jobs: an uninstall may remove only these.
        made text[] NOT NULL DEFAULT '{}',
        -- The version of zeke-jobs that applied it: code that is too old for the database names it.
        version text,
        CONSTRAINT migration_pkey PRIMARY KEY (package, name)
      );
    EXCEPTION WHEN unique_violation OR duplicate_schema OR duplicate_table THEN
      NULL; -- another process has just created it, and its transaction has ended
    END;
  END LOOP;
END
$$
