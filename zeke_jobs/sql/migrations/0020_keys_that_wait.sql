-- Rates per key: a claim finds the keys whose rate lets a job through, and steps over none of the others.

ALTER TABLE zeke_jobs.queue ADD COLUMN key_seen boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN zeke_jobs.queue.key_seen IS
  'Its task has a rate per key, and a claim has found that its key must wait: it is found by its key in key_wait.';

-- Serves claims of tasks with a rate per key: due jobs that no claim has come upon.
CREATE INDEX queue_unseen ON zeke_jobs.queue (queue_name, task, priority DESC, run_at, seq)
  WHERE state = 'queued' AND deaths < 1 AND key IS NOT NULL AND NOT key_seen;

CREATE TABLE zeke_jobs.key_wait (
  task text NOT NULL,
  priority integer,
  key text NOT NULL,
  due_on timestamptz NOT NULL,
  -- NULLs differ from each other, so who adds a row without a priority waits for nobody.
  CONSTRAINT key_wait_key UNIQUE (task, key, priority)
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.key_wait IS
  'Keys of tasks with a rate per key that have waiting jobs (queue.key_seen). Claims write it, under the lock of the task''s gate.';
COMMENT ON COLUMN zeke_jobs.key_wait.priority IS
  'Of those jobs. NULL: a start of the key was given back, and the next claim looks at all its rows.';
COMMENT ON COLUMN zeke_jobs.key_wait.due_on IS 'When one of the jobs may start, as far as the rate of its key is concerned.';

-- Serves claims: the keys that are due, the one that waits longest first.
CREATE INDEX key_wait_due ON zeke_jobs.key_wait (task, priority, due_on, key);

ALTER TABLE zeke_jobs.key_wait SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
