-- A wake-up tells an idle worker process that there may be a job for it. A lost wake-up does no harm, because every idle process polls within 5 s.

-- Return whether a job is due before the next poll of an idle process.
CREATE OR REPLACE FUNCTION zeke_jobs.is_soon(p_run_at timestamptz, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT p_run_at < p_now + interval '5 seconds' $$;

-- Notify idle processes of a new job; the process named in the notification claims first. If none is idle, send nothing, because NOTIFY serialises commits.
CREATE OR REPLACE FUNCTION zeke_jobs.notify_idle(p_queue text, p_task text DEFAULT '') RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_notify('zeke_jobs.wake', f.id || ' ' || p_queue || ' ' || p_task) FROM (
    -- Because of this hash, all jobs of one transaction wake the same process.
    SELECT w.id FROM zeke_jobs.worker AS w WHERE p_queue = ANY (w.idle)
    ORDER BY uuid_hash_extended(w.id, pg_current_xact_id()::text::bigint) LIMIT 1) AS f;
END $$;

-- After jobs of p_tasks ended, notify the other processes that wait for a limit of these tasks, if a job may now start under the limit. No job may start under
-- the limits in p_full. p_looks says that the caller looks for jobs next: if it also waits for the limit, the notification tells the others to claim after it.
CREATE OR REPLACE FUNCTION zeke_jobs.notify_freed(p_tasks text[], p_caller uuid, p_looks boolean, p_full text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  v_limits text[] := ARRAY( -- p_tasks contains a former name if a task was renamed after the claim
    SELECT DISTINCT n.name FROM zeke_jobs.task AS t CROSS JOIN LATERAL unnest(t.limits) AS n (name)
    WHERE t.id || t.aliases && p_tasks AND n.name <> ALL (p_full)
      AND EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE n.name = ANY (w.limited) AND w.id IS DISTINCT FROM p_caller));
  v_open text[];
BEGIN
  IF v_limits = '{}' THEN RETURN; END IF;
  v_open := ARRAY(SELECT r.name FROM zeke_jobs.room(v_limits, zeke_jobs.now()) AS r GROUP BY r.name HAVING min(r.room) > 0);
  PERFORM pg_notify('zeke_jobs.wake', CASE WHEN f.looks THEN 'later ' ELSE f.first::text || ' ' END || f.queue || ' ')
  FROM (
    SELECT o.queue, p_looks AND bool_or(w.id IS NOT DISTINCT FROM p_caller) AS looks, bool_or(w.id IS DISTINCT FROM p_caller) AS waits,
      (array_agg(w.id ORDER BY random()) FILTER (WHERE w.id IS DISTINCT FROM p_caller))[1] AS first
    FROM zeke_jobs.worker AS w JOIN zeke_jobs.task AS o ON o.id = ANY (w.tasks) AND o.limits && v_open AND o.limits && w.limited
    WHERE w.limited && v_open GROUP BY o.queue) AS f
  WHERE f.waits;
END $$;
