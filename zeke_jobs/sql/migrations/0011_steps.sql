-- Steps of a handler whose results are kept for its next attempts.

CREATE TABLE zeke_jobs.step (
  job uuid NOT NULL,
  name text NOT NULL,
  result jsonb NOT NULL,
  kept_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT step_pkey PRIMARY KEY (job, name)
);
COMMENT ON TABLE zeke_jobs.step IS 'Results of steps (ctx.step), kept as long as the row of their job.';
