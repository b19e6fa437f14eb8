-- Schedules that programs put beside those of jobs.yaml, on the same ticks. A schedule of jobs.yaml is named by its task, a stored one by
-- its own name, in schedule_state.task and tick.task too.

CREATE TABLE zeke_jobs.stored_schedule (
  name text NOT NULL,
  task text NOT NULL,
  cron jsonb NOT NULL,
  key text,
  put_by text,
  put_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT stored_schedule_pkey PRIMARY KEY (name),
  CONSTRAINT stored_schedule_name CHECK (name ~ '^[^/]+/.+' AND octet_length(name) <= 200)
);
COMMENT ON TABLE zeke_jobs.stored_schedule IS 'Schedules that programs put; zeke_jobs.schedule has these and those of jobs.yaml.';
COMMENT ON COLUMN zeke_jobs.stored_schedule.cron IS 'As zeke_jobs.task.cron.';
COMMENT ON COLUMN zeke_jobs.stored_schedule.put_on IS 'When it was put as it is now: no tick before that is sent.';

ALTER TABLE zeke_jobs.queue ADD COLUMN schedule text;
COMMENT ON COLUMN zeke_jobs.queue.schedule IS 'The stored schedule whose tick it is for; NULL: its task''s own.';

-- Holds "one job for each tick of a schedule".
DROP INDEX zeke_jobs.queue_tick;
CREATE UNIQUE INDEX queue_tick ON zeke_jobs.queue (task, scheduled_for, coalesce(schedule, '')) WHERE scheduled_for IS NOT NULL;

-- For backtests: which purged jobs were one batch.
ALTER TABLE zeke_jobs.history ADD COLUMN batch text;
COMMENT ON COLUMN zeke_jobs.history.batch IS 'The batch that it belonged to.';
