-- Live processes, and the schedules that they decide.

CREATE TABLE zeke_jobs.worker (
  id uuid NOT NULL,
  kind text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  queues text[] NOT NULL DEFAULT '{}',
  tasks text[] NOT NULL DEFAULT '{}',
  threads integer NOT NULL DEFAULT 0,
  places integer NOT NULL DEFAULT 0,
  async_tasks text[] NOT NULL DEFAULT '{}',
  busy integer NOT NULL DEFAULT 0,
  idle text[] NOT NULL DEFAULT '{}',
  limited text[] NOT NULL DEFAULT '{}',
  alone boolean NOT NULL DEFAULT false,
  stopping boolean NOT NULL DEFAULT false,
  revision integer NOT NULL DEFAULT 0,
  file_revision integer,
  started_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  heartbeat_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  lost_after interval NOT NULL DEFAULT '20 seconds',
  refusal text,
  blocked jsonb,
  beating_since timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT worker_pkey PRIMARY KEY (id),
  CONSTRAINT worker_kind CHECK (kind IN ('worker', 'scheduler'))
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.worker IS 'One row per live process.';
COMMENT ON COLUMN zeke_jobs.worker.idle IS 'Queues of which it waits for new jobs: the next send notifies it.';
COMMENT ON COLUMN zeke_jobs.worker.limited IS 'Limits that held due jobs back from it: the end of a job that passes one of them notifies it.';
COMMENT ON COLUMN zeke_jobs.worker.places IS 'Number of jobs that it runs at once on its event loop, beside its threads: those of async_tasks.';
COMMENT ON COLUMN zeke_jobs.worker.blocked IS 'The last handler that kept the event loop to itself for a second: task, job, stack and time.';
COMMENT ON COLUMN zeke_jobs.worker.alone IS 'Claims nothing until it is empty, and then one job that must run alone.';
COMMENT ON COLUMN zeke_jobs.worker.revision IS 'Revision of jobs.yaml that it runs by; file_revision is that of its own file.';
COMMENT ON COLUMN zeke_jobs.worker.lost_after IS 'Without a heartbeat for so long, others return its jobs to the queue.';
COMMENT ON COLUMN zeke_jobs.worker.refusal IS 'Why it does not run by the revision in force; NULL when it does.';
COMMENT ON COLUMN zeke_jobs.worker.beating_since IS 'Since when it has proved life without a gap for which others would have given it up.';

CREATE TABLE zeke_jobs.schedule_state (
  task text NOT NULL,
  cron text NOT NULL,
  timezone text NOT NULL,
  decided_to timestamptz NOT NULL,
  next_tick timestamptz,
  created_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT schedule_state_pkey PRIMARY KEY (task)
);
COMMENT ON TABLE zeke_jobs.schedule_state IS 'How far each schedule has come. Its row is the lock under which ticks are decided.';
COMMENT ON COLUMN zeke_jobs.schedule_state.task IS 'The task of a schedule of jobs.yaml, or the name of a stored one; so in tick.';
COMMENT ON COLUMN zeke_jobs.schedule_state.cron IS 'The line, and timezone the zone, that decided_to and next_tick belong to.';
COMMENT ON COLUMN zeke_jobs.schedule_state.decided_to IS 'All ticks up to here are decided.';

CREATE TABLE zeke_jobs.tick (
  task text NOT NULL,
  scheduled_for timestamptz NOT NULL,
  outcome text NOT NULL,
  reason text NOT NULL DEFAULT '',
  origin text NOT NULL DEFAULT 'schedule',
  job uuid,
  decided_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  -- Holds "each tick of a task is decided once".
  CONSTRAINT tick_pkey PRIMARY KEY (task, scheduled_for),
  CONSTRAINT tick_outcome CHECK (outcome IN ('sent', 'skipped')),
  CONSTRAINT tick_origin CHECK (origin IN ('schedule', 'backfill'))
);
COMMENT ON TABLE zeke_jobs.tick IS 'Each tick that was decided: sent, or skipped and why.';
COMMENT ON COLUMN zeke_jobs.tick.origin IS 'Who decided: the schedule in time, or a person later by a backfill.';
COMMENT ON COLUMN zeke_jobs.tick.job IS 'The job that was sent, or the one because of which none was.';

-- Serves the purge of old ticks.
CREATE INDEX tick_decided ON zeke_jobs.tick (decided_on);

CREATE TABLE zeke_jobs.schedule_beat (
  singleton boolean NOT NULL DEFAULT true,
  beat_on timestamptz NOT NULL,
  scheduler uuid NOT NULL,
  CONSTRAINT schedule_beat_pkey PRIMARY KEY (singleton),
  CONSTRAINT schedule_beat_singleton CHECK (singleton)
);
COMMENT ON TABLE zeke_jobs.schedule_beat IS 'When a scheduler last went through all schedules.';

-- Schedules that programs put beside those of jobs.yaml, on the same ticks. A schedule of jobs.yaml is named by its task, a stored one by its own
-- name.
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
