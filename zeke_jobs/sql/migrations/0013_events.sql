-- Waiting for the outside: events that programs emit, and the jobs that wait for them.

CREATE TABLE zeke_jobs.event (
  name text NOT NULL,
  data jsonb NOT NULL,
  emitted_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT event_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE zeke_jobs.event IS 'Events of the last thirty days, for jobs that come to wait for them later.';

-- Serves retention.
CREATE INDEX event_emitted ON zeke_jobs.event (emitted_on);

CREATE TABLE zeke_jobs.wait (
  job uuid NOT NULL,
  event text NOT NULL,
  until timestamptz NOT NULL,
  data jsonb,
  came_on timestamptz,
  CONSTRAINT wait_pkey PRIMARY KEY (job, event)
);
COMMENT ON TABLE zeke_jobs.wait IS 'For which events jobs wait or have waited, kept as long as the row of their job.';
COMMENT ON COLUMN zeke_jobs.wait.until IS 'When the job goes on without the event.';
COMMENT ON COLUMN zeke_jobs.wait.data IS 'What came with the event.';

-- Serves the event, which looks for the jobs that wait for it.
CREATE INDEX wait_event ON zeke_jobs.wait (event) WHERE came_on IS NULL;
