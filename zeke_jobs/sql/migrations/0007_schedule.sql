-- What the schedulers decided: one row per tick, and how far each schedule has come. The schedules themselves are zeke_jobs.task.cron.

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
COMMENT ON TABLE zeke_jobs.schedule_beat IS 'The last beat of any scheduler that got through all schedules.';

-- The schedules in force. A task that leaves jobs.yaml, or whose cron does, leaves this view with it.
CREATE VIEW zeke_jobs.schedule AS
SELECT
  t.id AS task,
  t.cron ->> 'at' AS cron,
  t.cron ->> 'timezone' AS timezone,
  zeke_jobs.masked(t.cron -> 'payload', t.sensitive) AS payload,
  t.cron - '{at,timezone,payload,paused}'::text[] AS options,
  l.scheduled_for AS last_tick,
  l.outcome AS last_outcome,
  l.reason AS last_reason,
  l.job AS last_job,
  CASE
    WHEN l.outcome = 'skipped' THEN 'skipped'
    WHEN q.message_id IS NULL THEN h.state::text
    ELSE zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits)::text
  END AS last_result,
  CASE WHEN s.cron = t.cron ->> 'at' AND s.timezone = t.cron ->> 'timezone' THEN s.next_tick END AS next_tick,
  p.target IS NOT NULL OR (t.cron ->> 'paused')::boolean AS paused,
  coalesce(p.paused_by, CASE WHEN (t.cron ->> 'paused')::boolean THEN 'jobs.yaml' END) AS paused_by,
  coalesce(p.paused_on, CASE WHEN (t.cron ->> 'paused')::boolean THEN r.applied_on END) AS paused_on,
  p.reason AS pause_reason,
  least(s.created_on, r.applied_on) AS created_on, -- whichever is there; a scheduler sees a new one a moment later
  coalesce(r.applied_on, s.created_on) AS updated_on
FROM zeke_jobs.task AS t
LEFT JOIN zeke_jobs.revision AS r ON r.number = t.revision
LEFT JOIN zeke_jobs.schedule_state AS s ON s.task = t.id
LEFT JOIN zeke_jobs.pause AS p ON p.target = 'schedule/' || t.id
LEFT JOIN LATERAL (
  SELECT k.scheduled_for, k.outcome, k.reason, k.job
  FROM zeke_jobs.tick AS k
  WHERE k.task = t.id
  ORDER BY k.scheduled_for DESC
  LIMIT 1
) AS l ON true
LEFT JOIN zeke_jobs.queue AS q ON q.message_id = l.job
LEFT JOIN zeke_jobs.history AS h ON h.id = l.job
WHERE t.cron IS NOT NULL;
COMMENT ON VIEW zeke_jobs.schedule IS 'Schedules in force, with their last and next ticks.';
