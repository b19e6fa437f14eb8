-- Wake-ups of idle processes. A wake-up is a hint: a process that misses it finds the job at its next poll.

-- Whether waiting processes must hear of a job: it is due before their next look, which comes within 5 s and finds later ones.
CREATE OR REPLACE FUNCTION zeke_jobs.is_soon(p_run_at timestamptz, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE -- as it is, so that it becomes a part of the calling statement
AS $$ SELECT p_run_at < p_now + interval '5 seconds' $$;

-- Notify the processes that wait for new jobs of a queue: one at once, the others a moment later unless they have looked by then, because one job
-- does not need a look by each of them. If none waits, send nothing: a NOTIFY in every send would serialise commits. p_task: the task of the
-- job. A process looks a moment later if its last look found a limit of this task full.
CREATE OR REPLACE FUNCTION zeke_jobs.notify_idle(p_queue text, p_task text DEFAULT '') RETURNS void
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
AS $$
DECLARE
  -- Choose the first process by a hash, so that all jobs of a transaction wake the same one.
  v_first uuid := (
    SELECT w.id FROM zeke_jobs.worker AS w WHERE p_queue = ANY (w.idle)
    ORDER BY uuid_hash_extended(w.id, pg_current_xact_id()::text::bigint) LIMIT 1);
BEGIN
  IF v_first IS NOT NULL THEN
    PERFORM pg_notify('zeke_jobs.wake', v_first || ' ' || p_queue || ' ' || p_task);
  END IF;
END
$$;

-- Jobs of these tasks have ended, and a process other than the caller has found due jobs held back by a limit. Notify such processes, if one of these
-- tasks' limits has room now. p_looks: the caller will look for jobs itself; the others are woken a moment later unless they have looked by then.
-- p_full: limits that the caller knows to be full.
CREATE OR REPLACE FUNCTION zeke_jobs.notify_freed(p_tasks text[], p_caller uuid, p_looks boolean, p_full text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_limits text[] := ARRAY( -- if a task was renamed after the claim, its job ended under the former name
    SELECT DISTINCT n.name FROM zeke_jobs.task AS t CROSS JOIN LATERAL unnest(t.limits) AS n (name)
    WHERE t.id || t.aliases && p_tasks AND n.name <> ALL (p_full)
      AND EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE n.name = ANY (w.limited) AND w.id IS DISTINCT FROM p_caller));
  v_open text[];
BEGIN
  IF v_limits = '{}' THEN
    RETURN;
  END IF;
  v_open := ARRAY(SELECT r.name FROM zeke_jobs.room(v_limits, zeke_jobs.now()) AS r GROUP BY r.name HAVING min(r.room) > 0);
  PERFORM pg_notify('zeke_jobs.wake', CASE WHEN f.looks THEN 'later ' ELSE f.first::text || ' ' END || f.queue || ' ')
  FROM (
    SELECT o.queue, p_looks AND bool_or(w.id IS NOT DISTINCT FROM p_caller) AS looks, bool_or(w.id IS DISTINCT FROM p_caller) AS waits,
      (array_agg(w.id ORDER BY random()) FILTER (WHERE w.id IS DISTINCT FROM p_caller))[1] AS first
    FROM zeke_jobs.worker AS w JOIN zeke_jobs.task AS o ON o.id = ANY (w.tasks) AND o.limits && v_open AND o.limits && w.limited
    WHERE w.limited && v_open
    GROUP BY o.queue
  ) AS f
  WHERE f.waits;
END
$$;
