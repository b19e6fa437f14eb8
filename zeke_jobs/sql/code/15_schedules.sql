-- These functions store the schedules that programs make, such as a digest for each tenant, and record the outcomes of ticks (due times).

-- Store or change a schedule. Storing an unchanged schedule has no effect. The name has at least two parts, such as digest/team-7.
--   SELECT zeke_jobs.put_schedule('digest/team-7', 'generate-brief', '0 8 * * mon-fri', 'Europe/Paris', '{"period": "day", "teamId": "…"}');
CREATE OR REPLACE FUNCTION zeke_jobs.put_schedule(name text, task text, at text, timezone text DEFAULT 'UTC',
  payload jsonb DEFAULT '{}', key text DEFAULT NULL, options jsonb DEFAULT '{}', put_by text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
#variable_conflict use_column
DECLARE
  c_options CONSTANT jsonb := '{"missed": "latest", "window": 86400, "overlap": "skip", "jitter": 0, "paused": false}';
  v_task zeke_jobs.task := zeke_jobs.find_task(put_schedule.task);
  v_options jsonb := c_options || coalesce(put_schedule.options, '{}');
BEGIN
  PERFORM zeke_jobs.refuse(format('expected the name of a task, got %L', put_schedule.task), 'undefined_object') WHERE v_task.id IS NULL;
  PERFORM zeke_jobs.refuse(coalesce(
    CASE WHEN coalesce(put_schedule.name, '') !~ '^[^/]+/.+' OR octet_length(put_schedule.name) > 200
      THEN format('expected a name of two parts, such as digest/team-7, of at most 200 bytes, got %L', put_schedule.name) END,
    CASE WHEN put_schedule.name ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]'
      THEN format('expected a name without line ends and control characters, got %L', put_schedule.name) END,
    -- Only the form of the cron line is checked here. Python finds wrong values, as in 99 * * * *, when it reads the line.
    CASE WHEN coalesce(put_schedule.at, '') !~*
        '^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[0-9a-z*,/-]+([ \t]+[0-9a-z*,/-]+){4})$'
      THEN format('expected a cron line of five fields, got %L', put_schedule.at) END,
    CASE WHEN NOT EXISTS (SELECT 1 FROM pg_timezone_names AS z WHERE z.name = put_schedule.timezone AND z.name NOT IN ('localtime', 'posixrules', 'Factory'))
      THEN format('expected the name of a time zone, got %L', put_schedule.timezone) END,
    CASE WHEN jsonb_typeof(put_schedule.options) <> 'object' THEN format('expected options as an object, got %s', put_schedule.options) END,
    (SELECT format('expected options among missed, window, overlap, jitter and paused, got %s', o.name)
     FROM jsonb_object_keys(put_schedule.options) AS o (name) WHERE NOT c_options ? o.name LIMIT 1),
    CASE WHEN coalesce(v_options ->> 'missed', '') NOT IN ('latest', 'skip', 'all')
        OR coalesce(v_options ->> 'overlap', '') NOT IN ('skip', 'allow')
        -- The options window and jitter are at most 100 years. BETWEEN also refuses all other JSON types, because jsonb sorts none of them between two numbers.
        OR v_options -> 'window' NOT BETWEEN '0' AND '3155760000' OR v_options -> 'jitter' NOT BETWEEN '0' AND '3155760000'
        OR jsonb_typeof(v_options -> 'paused') <> 'boolean'
      THEN format('expected missed latest, skip or all, overlap skip or allow, window and jitter of 0 seconds to 100 years, got %s', put_schedule.options) END,
    CASE WHEN put_schedule.key IS NOT NULL THEN zeke_jobs.refused(zeke_jobs.unfit_value(jsonb_build_object('key', put_schedule.key)), '{}') END));
  INSERT INTO zeke_jobs.stored_schedule AS s (name, task, cron, key, put_by)
  VALUES (put_schedule.name, v_task.id, v_options || jsonb_build_object('at', put_schedule.at, 'timezone', put_schedule.timezone,
    'payload', zeke_jobs.accepted(v_task, put_schedule.payload)), put_schedule.key, put_schedule.put_by)
  ON CONFLICT ON CONSTRAINT stored_schedule_pkey DO UPDATE
  SET task = excluded.task, cron = excluded.cron, key = excluded.key, put_by = excluded.put_by, put_on = zeke_jobs.now()
  WHERE (s.task, s.cron, s.key) IS DISTINCT FROM (excluded.task, excluded.cron, excluded.key);
  PERFORM zeke_jobs.note('put', 'schedule/' || put_schedule.name, put_schedule.put_by, NULL) WHERE FOUND;
END $$;

-- Delete a stored schedule; the jobs of the schedule are kept. Return false if the schedule does not exist.
CREATE OR REPLACE FUNCTION zeke_jobs.delete_schedule(name text, deleted_by text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  DELETE FROM zeke_jobs.stored_schedule AS s WHERE s.name = delete_schedule.name;
  PERFORM zeke_jobs.note('delete', 'schedule/' || delete_schedule.name, deleted_by, NULL) WHERE FOUND;
  RETURN FOUND;
END $$;

-- Check p_moment, the time of a tick, and return it. Raise an error if an operator gives a time in the future: the schedule would send no jobs until then.
CREATE OR REPLACE FUNCTION zeke_jobs.decidable(p_moment timestamptz, p_schedule text) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM zeke_jobs.refuse(format('expected ticks of %s that are due, got %s', p_schedule, p_moment))
  WHERE p_moment > zeke_jobs.now() AND NOT has_table_privilege(session_user, 'zeke_jobs.schedule_state', 'UPDATE');
  RETURN p_moment;
END $$;

-- Create the row of a schedule's state if it is missing, and lock the row, so that only one scheduler at a time handles the schedule's ticks.
CREATE OR REPLACE FUNCTION zeke_jobs.lock_schedule(p_task text, p_cron text, p_timezone text, p_decided_to timestamptz)
RETURNS TABLE (cron text, timezone text, decided_to timestamptz)
LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
  INSERT INTO zeke_jobs.schedule_state AS s (task, cron, timezone, decided_to)
  VALUES (p_task, p_cron, p_timezone, zeke_jobs.decidable(p_decided_to, p_task))
  ON CONFLICT (task) DO UPDATE SET task = excluded.task RETURNING s.cron, s.timezone, s.decided_to $$;

-- Record a schedule's cron line, and up to which time its ticks are handled. The audit records a call by an operator, unless it is part of a schedule's resume.
CREATE OR REPLACE FUNCTION zeke_jobs.advance_schedule(p_task text, p_cron text, p_timezone text,
  p_decided_to timestamptz, p_next_tick timestamptz) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  UPDATE zeke_jobs.schedule_state AS s
  SET cron = p_cron, timezone = p_timezone, next_tick = p_next_tick,
    decided_to = CASE WHEN p_decided_to <= s.decided_to THEN p_decided_to ELSE zeke_jobs.decidable(p_decided_to, p_task) END
  WHERE s.task = p_task;
  PERFORM zeke_jobs.note('advance', 'schedule/' || p_task, NULL, 'ticks decided up to ' || p_decided_to)
  WHERE FOUND AND NOT has_table_privilege(session_user, 'zeke_jobs.schedule_state', 'UPDATE') AND NOT EXISTS (
    SELECT 1 FROM zeke_jobs.audit AS a WHERE a.target = 'schedule/' || p_task AND a.action = 'resume' AND a.xmin = pg_current_xact_id()::xid);
END $$;

-- Record the outcome of a tick. Only a backfill, which sends a skipped tick's job, changes the outcome later. An operator may record only backfills.
CREATE OR REPLACE FUNCTION zeke_jobs.record_tick(p_task text, p_scheduled_for timestamptz, p_outcome text,
  p_reason text, p_origin text, p_job uuid) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  PERFORM zeke_jobs.refuse(format('expected a tick of a backfill from a login that is no scheduler, got origin %s', p_origin), 'insufficient_privilege')
  WHERE p_origin <> 'backfill' AND NOT has_table_privilege(session_user, 'zeke_jobs.tick', 'INSERT');
  INSERT INTO zeke_jobs.tick AS t (task, scheduled_for, outcome, reason, origin, job)
  VALUES (p_task, zeke_jobs.decidable(p_scheduled_for, p_task), p_outcome, p_reason, p_origin, p_job)
  ON CONFLICT (task, scheduled_for) DO UPDATE
  SET outcome = excluded.outcome, reason = excluded.reason, origin = excluded.origin, job = excluded.job,
    decided_on = excluded.decided_on
  WHERE t.outcome = 'skipped' AND excluded.origin = 'backfill';
END $$;
