-- Create the schema zeke_jobs and the table of applied migrations, unless they exist.
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
        -- The objects that the migration made outside the schema zeke_jobs; there, an uninstall may remove only these objects.
        made text[] NOT NULL DEFAULT '{}',
        -- The version of zeke-jobs that applied the migration. If a release is too old for the database, its error message names this version.
        version text,
        CONSTRAINT migration_pkey PRIMARY KEY (package, name)
      );
    EXCEPTION WHEN unique_violation OR duplicate_schema OR duplicate_table THEN
      NULL; -- another process has just created the table, and the transaction of that process has ended
    END;
  END LOOP;
END
$$
