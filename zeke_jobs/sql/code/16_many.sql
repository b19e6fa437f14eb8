-- These functions change the jobs that match a filter. The caller changes many jobs in several transactions, so that no other transaction waits for long.

-- Check a change. Return the task's id, the statuses of the jobs to change, and the new value. If the filter names a job by its id, a cancel may also
-- change a failed job that blocks other jobs, and a retry may also change a job that waits for its next attempt.
CREATE OR REPLACE FUNCTION zeke_jobs.checked_change(p_change text, p_filter jsonb, p_value jsonb, p_now timestamptz,
  OUT task text, OUT statuses text[], OUT value jsonb) LANGUAGE plpgsql STABLE AS $$
DECLARE
  c_keys CONSTANT text[] := ARRAY['batch', 'error', 'id', 'key', 'newer', 'older', 'parent', 'queue', 'status', 'task', 'until'];
  v_suit text[] := CASE
    WHEN p_change = 'cancel' THEN ARRAY['created', 'retry', 'active', 'failed']
    WHEN p_change = 'retry' THEN ARRAY['failed', 'cancelled'] || CASE WHEN p_filter ? 'id' THEN ARRAY['retry'] END
    WHEN p_change IN ('prioritise', 'reschedule') THEN ARRAY['created', 'retry'] END;
BEGIN
  statuses := CASE jsonb_typeof(p_filter -> 'status')
    WHEN 'string' THEN ARRAY[p_filter ->> 'status']
    WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(p_filter -> 'status'))
    ELSE CASE WHEN p_filter ? 'id' THEN v_suit WHEN p_change = 'retry' THEN ARRAY['failed'] ELSE array_remove(v_suit, 'failed') END END;
  PERFORM zeke_jobs.refuse(coalesce(
    CASE WHEN v_suit IS NULL THEN format('expected cancel, retry, prioritise or reschedule, got %L', p_change) END,
    (SELECT format('expected a filter of %s, got %s', array_to_string(c_keys, ', '), coalesce(min(k.name), 'none'))
     FROM jsonb_object_keys(p_filter) AS k (name) WHERE k.name <> ALL (c_keys) HAVING count(*) > 0 OR jsonb_strip_nulls(p_filter) - 'until' = '{}'),
    (SELECT format('expected status %s of jobs to %s, got %s', array_to_string(v_suit, ', '), p_change, s.name)
     FROM unnest(statuses) AS s (name) WHERE s.name <> ALL (v_suit) LIMIT 1),
    CASE WHEN p_change = 'prioritise' AND NOT p_value ? 'priority' THEN format('expected priority, got %s', p_value) END,
    CASE WHEN p_change = 'reschedule' AND (p_value ? 'run_at') = (p_value ? 'delay') THEN format('expected run_at or delay, got %s', p_value) END,
    zeke_jobs.refused(zeke_jobs.unfit_value(p_value), p_value)));
  task := (SELECT coalesce(max(t.id), p_filter ->> 'task') FROM zeke_jobs.find_task(p_filter ->> 'task') AS t);
  value := CASE p_change
    WHEN 'prioritise' THEN jsonb_build_object('priority', p_value -> 'priority')
    WHEN 'reschedule' THEN jsonb_build_object('run_at', zeke_jobs.moment(p_value, 'run_at', p_now, zeke_jobs.moment(p_value, 'delay', p_now, NULL)))
    ELSE p_value END;
END $$;

-- Return the jobs that match a checked filter and that the change would affect. The planner inlines this function, so the plan suits the filter.
CREATE OR REPLACE FUNCTION zeke_jobs.changeable(p_change text, p_filter jsonb, p_value jsonb, p_task text,
  p_statuses text[], p_after uuid) RETURNS TABLE (id uuid, task text, status text) LANGUAGE sql STABLE AS $$
  SELECT q.message_id, q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text
  FROM zeke_jobs.queue AS q WHERE (
      q.state = 'queued' AND (
        p_change = 'cancel'
        OR p_change = 'prioritise' AND q.priority <> (p_value ->> 'priority')::integer
        OR p_change = 'reschedule' AND q.run_at <> (p_value ->> 'run_at')::timestamptz
          AND NOT (q.run_at <= zeke_jobs.now() AND (p_value ->> 'run_at')::timestamptz <= zeke_jobs.now()))
      OR p_change = 'cancel' AND q.state = 'consumed' AND (q.cancelled_on IS NULL OR p_filter ? 'id')
      OR p_change = 'cancel' AND 'failed' = ANY (p_statuses) AND q.state = 'rejected' AND q.cancelled_on IS NULL AND zeke_jobs.holds_up(q)
      OR p_change = 'retry' AND (q.state = 'rejected' OR p_filter ? 'id' AND q.state = 'queued'))
    AND zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text = ANY (p_statuses)
    AND (p_task IS NULL OR q.task = p_task)
    AND (p_filter ->> 'id' IS NULL OR q.message_id = (p_filter ->> 'id')::uuid)
    AND (p_filter ->> 'key' IS NULL OR q.key = p_filter ->> 'key')
    AND (p_filter ->> 'batch' IS NULL OR (q.extra ->> 'batch') = p_filter ->> 'batch')
    AND (p_filter ->> 'parent' IS NULL OR q.parent = (p_filter ->> 'parent')::uuid)
    AND (p_filter ->> 'queue' IS NULL OR q.queue_name = p_filter ->> 'queue')
    -- The age of a job is the time since its end or, if the job has not ended, since its send.
    AND (p_filter ->> 'newer' IS NULL OR coalesce(q.completed_on, q.created_on)
      > zeke_jobs.now() - make_interval(secs => (p_filter ->> 'newer')::double precision))
    AND (p_filter ->> 'older' IS NULL OR coalesce(q.completed_on, q.created_on)
      <= zeke_jobs.now() - make_interval(secs => (p_filter ->> 'older')::double precision))
    AND (p_filter ->> 'until' IS NULL OR coalesce(q.completed_on, q.created_on) <= (p_filter ->> 'until')::timestamptz)
    AND (p_filter ->> 'error' IS NULL OR EXISTS (
      SELECT 1 FROM zeke_jobs.job AS j WHERE j.id = q.message_id
        AND strpos(lower(concat_ws(': ', j.error ->> 'type', j.error ->> 'message')), lower(p_filter ->> 'error')) > 0))
    AND (p_after IS NULL OR q.message_id > p_after) $$;

-- By task and status, count jobs that a change would affect, at most a given number. until is the time of the count; as a filter, it leaves out newer jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.count_changes(change text, filter jsonb, value jsonb DEFAULT '{}', most integer DEFAULT NULL)
RETURNS TABLE (task text, status text, jobs bigint, until timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_given record := zeke_jobs.checked_change(count_changes.change, count_changes.filter, count_changes.value, v_now);
BEGIN
  RETURN QUERY
    SELECT c.task, c.status, count(*), v_now FROM (
      SELECT f.task, f.status
      FROM zeke_jobs.changeable(count_changes.change, count_changes.filter, v_given.value, v_given.task, v_given.statuses, NULL) AS f
      ORDER BY CASE WHEN count_changes.most IS NOT NULL THEN f.id END -- without a limit, the rows are not sorted
      LIMIT count_changes.most) AS c
    GROUP BY c.task, c.status ORDER BY c.task, c.status;
END $$;

-- Change at most a given number of matching jobs, in the order of their ids, beginning after a given id. Skip locked jobs and return their ids as "passed", but
-- wait for a job if the filter has its id. If "last" is not NULL, there may be more jobs: call again with it as "after". The audit records the change.
CREATE OR REPLACE FUNCTION zeke_jobs.change_jobs(
  change text, filter jsonb, value jsonb DEFAULT '{}', reason text DEFAULT NULL, by text DEFAULT NULL, after uuid DEFAULT NULL,
  most integer DEFAULT 1000, OUT changed uuid[], OUT passed uuid[], OUT last uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_given record := zeke_jobs.checked_change(change_jobs.change, change_jobs.filter, change_jobs.value, v_now);
  v_found uuid[];
  v_held uuid[];
BEGIN
  v_found := ARRAY(
    SELECT c.id
    FROM zeke_jobs.changeable(change_jobs.change, change_jobs.filter, v_given.value, v_given.task, v_given.statuses, change_jobs.after) AS c
    ORDER BY c.id LIMIT change_jobs.most);
  change_jobs.last := v_found[change_jobs.most];
  PERFORM 1 FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (v_found) AND change_jobs.filter ->> 'id' IS NOT NULL FOR UPDATE;
  -- The status is checked again, because a job may have changed since the query above found the job.
  v_held := ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (v_found)
      AND zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text = ANY (v_given.statuses)
      AND (change_jobs.change IN ('cancel', 'retry') OR q.state = 'queued')
    ORDER BY q.message_id FOR UPDATE SKIP LOCKED);
  changed := v_held;
  CASE change_jobs.change
    WHEN 'cancel' THEN changed := zeke_jobs.cancel_jobs(v_held, change_jobs.reason, change_jobs.by);
    WHEN 'retry' THEN PERFORM zeke_jobs.move(v_held, 'again');
    ELSE
      UPDATE zeke_jobs.queue AS q
      SET priority = coalesce((v_given.value -> 'priority')::integer, q.priority),
        run_at = coalesce((v_given.value ->> 'run_at')::timestamptz, q.run_at), mtime = v_now
      WHERE q.message_id = ANY (v_held);
      PERFORM zeke_jobs.notify_idle(r.queue_name) -- a changed job may be due soon, or may now let other jobs start before it
      FROM (SELECT DISTINCT q.queue_name FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (v_held)) AS r;
  END CASE;
  passed := ARRAY(SELECT f.id FROM unnest(v_found) AS f (id) WHERE f.id <> ALL (v_held));
  PERFORM zeke_jobs.note(
    change_jobs.change,
    coalesce('job/' || (change_jobs.filter ->> 'id'), 'task/' || (change_jobs.filter ->> 'task'), 'batch/' || (change_jobs.filter ->> 'batch'), 'all'),
    change_jobs.by, concat_ws(': ', zeke_jobs.filter_in_words(change_jobs.filter, v_given.value), nullif(change_jobs.reason, '')), changed)
  WHERE changed <> '{}';
END $$;

-- Return a filter and a new value as text for the audit, such as "failed, key a, run_at 2026-01-02 03:04:05+00".
CREATE OR REPLACE FUNCTION zeke_jobs.filter_in_words(p_filter jsonb, p_value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT nullif(concat_ws(', ',
    CASE jsonb_typeof(p_filter -> 'status') WHEN 'string' THEN p_filter ->> 'status'
      WHEN 'array' THEN (SELECT string_agg(s.name, ', ') FROM jsonb_array_elements_text(p_filter -> 'status') AS s (name)) END,
    (SELECT string_agg(f.name || ' ' || f.value || CASE WHEN f.name IN ('newer', 'older') THEN ' s' ELSE '' END, ', ' ORDER BY f.name)
     FROM jsonb_each_text(jsonb_strip_nulls(p_filter) - '{status,task,id,until}'::text[]) AS f (name, value)),
    (SELECT string_agg(v.name || ' ' || v.value, ', ') FROM jsonb_each_text(p_value) AS v (name, value))), '') $$;
