-- Jobs that belong together: a batch, its counters, and the changes of them in a transaction that has not committed yet.

CREATE TABLE zeke_jobs.batch (
  id text NOT NULL,
  task text,
  payload jsonb,
  after_failure text NOT NULL DEFAULT 'send',
  unfinished integer NOT NULL DEFAULT 0,
  completed integer NOT NULL DEFAULT 0,
  failed integer NOT NULL DEFAULT 0,
  cancelled integer NOT NULL DEFAULT 0,
  made_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
  created_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  cancelled_on timestamptz,
  ended_on timestamptz,
  then_job uuid,
  then_outcome text,
  CONSTRAINT batch_pkey PRIMARY KEY (id),
  CONSTRAINT batch_after_failure CHECK (after_failure IN ('send', 'hold'))
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.batch IS 'Batches of jobs. When the last job has ended, one job is sent, in the transaction of that end.';
COMMENT ON COLUMN zeke_jobs.batch.task IS 'The task of the job that is sent at the end; NULL: none.';
COMMENT ON COLUMN zeke_jobs.batch.unfinished IS 'Its jobs that are queued or active; batch_change has what is to be added yet, as for the other counters.';
COMMENT ON COLUMN zeke_jobs.batch.made_in IS 'The transaction that made it: a closed batch takes the jobs of that transaction only.';
COMMENT ON COLUMN zeke_jobs.batch.then_outcome IS 'What became of the send at the end: created, or why there is no job.';

-- Serves top, which counts them.
CREATE INDEX batch_unended ON zeke_jobs.batch (created_on) WHERE ended_on IS NULL AND cancelled_on IS NULL;

-- A row of its own, so that senders that add to an open batch, and its close, never lock what an end of a job changes.
CREATE TABLE zeke_jobs.batch_open (
  batch text NOT NULL,
  CONSTRAINT batch_open_pkey PRIMARY KEY (batch)
);
COMMENT ON TABLE zeke_jobs.batch_open IS 'Batches that were opened and are not closed: they take jobs of any sender, and do not end.';

CREATE TABLE zeke_jobs.batch_change (
  xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
  batch text NOT NULL,
  unfinished integer NOT NULL DEFAULT 0,
  completed integer NOT NULL DEFAULT 0,
  failed integer NOT NULL DEFAULT 0,
  cancelled integer NOT NULL DEFAULT 0,
  cancels boolean NOT NULL DEFAULT false,
  is_sent boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE zeke_jobs.batch_change IS
  'Changes of the counters of batches that are not added up yet. An end adds up at its commit, so that no counter is locked before.';
COMMENT ON COLUMN zeke_jobs.batch_change.is_sent IS 'By a sender, which locks no counter at all: the next end adds it up.';
COMMENT ON COLUMN zeke_jobs.batch_change.cancels IS 'The batch as a whole was cancelled: nothing is sent at its end.';

-- Serves the commit of an end.
CREATE INDEX batch_change_batch ON zeke_jobs.batch_change (batch);

-- Serves the same commit, which looks for its own batches.
CREATE INDEX batch_change_xact ON zeke_jobs.batch_change (xact);
