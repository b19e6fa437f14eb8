-- The last lines that each attempt logged. Gone with its job.
CREATE TABLE zeke_jobs.job_log (
  job uuid NOT NULL,
  claim bigint NOT NULL,
  attempt integer NOT NULL,
  lines text NOT NULL,
  dropped integer NOT NULL,
  written_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT job_log_pkey PRIMARY KEY (job, claim)
);
COMMENT ON TABLE zeke_jobs.job_log IS 'The last lines that each attempt of a job logged, by the number of its claim.';
COMMENT ON COLUMN zeke_jobs.job_log.dropped IS 'How many earlier lines were not kept.';
