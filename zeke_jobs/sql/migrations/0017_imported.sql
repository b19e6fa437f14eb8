-- Jobs that were taken over from another job system in the same database, so that none is taken twice.
CREATE TABLE zeke_jobs.imported (
  source text NOT NULL,
  name text NOT NULL,
  source_id uuid NOT NULL,
  job uuid NOT NULL,
  imported_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT imported_pkey PRIMARY KEY (source, source_id, name)
);
COMMENT ON TABLE zeke_jobs.imported IS 'Jobs that were taken over from another job system, so that none is taken twice.';
COMMENT ON COLUMN zeke_jobs.imported.source IS 'The system and its schema, as in pg-boss/pgboss.';
COMMENT ON COLUMN zeke_jobs.imported.name IS 'The name of its queue there.';
