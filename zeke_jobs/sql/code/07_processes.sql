-- Live processes: proof of life, lost processes, and the chores that a heartbeat starts.

CREATE OR REPLACE FUNCTION zeke_jobs.begin_beating() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  NEW.beating_since := NEW.heartbeat_on;
  RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER worker_beating BEFORE UPDATE OF heartbeat_on ON zeke_jobs.worker
  FOR EACH ROW WHEN (NEW.heartbeat_on > OLD.heartbeat_on + OLD.lost_after) EXECUTE FUNCTION zeke_jobs.begin_beating();

-- Return the jobs of lost processes to the queue. A process is lost if it has not proved life for its lost_after, while another process has. So an
-- outage of the database makes no process lost.
-- A returned job may have taken effect, so its attempt counts. It may have killed the process, so it becomes a suspect, and this first death
-- counts. If the process held several jobs, most of them may not have started. Then the death uses up no retry, and the next process runs at most
-- half of them. If that process dies too, its suspects are halved again, until each runs alone. A death among several suspects counts for none
-- of them and uses up no retry; the death of a suspect that ran alone counts. The third death that counts quarantines the job.
-- Lock the rows, so that two rescuers never count one death twice. Leave locked jobs to the next call: their worker may have stopped before a
-- commit, and its transaction ends by itself.
CREATE OR REPLACE FUNCTION zeke_jobs.rescue() RETURNS TABLE (message_id uuid, task text, deaths integer, outcome text)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_watched_since timestamptz := (
    SELECT min(w.beating_since) FROM zeke_jobs.worker AS w WHERE w.kind = 'worker' AND w.heartbeat_on >= v_now - w.lost_after);
  v_lost uuid[];
  v_rowless uuid[];
  v_taken uuid[];
BEGIN
  v_lost := ARRAY(
    SELECT w.id FROM zeke_jobs.worker AS w
    WHERE w.heartbeat_on < v_now - w.lost_after AND (v_watched_since IS NULL OR v_watched_since <= v_now - w.lost_after)
    ORDER BY w.id
    FOR UPDATE SKIP LOCKED
  );
  -- Workers without a row, but with claimed jobs, did not end in an orderly way. Wait a minute, because their rows may not be committed yet.
  v_rowless := ARRAY(
    SELECT DISTINCT q.worker FROM zeke_jobs.queue AS q
    WHERE q.state = 'consumed' AND q.claimed_on < v_now - interval '1 minute'
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.id = q.worker)
  );
  IF cardinality(v_lost || v_rowless) = 0 THEN
    RETURN;
  END IF;
  v_taken := ARRAY(
    SELECT q.message_id FROM zeke_jobs.queue AS q
    WHERE q.state = 'consumed' AND q.worker = ANY (v_lost || v_rowless)
    FOR UPDATE SKIP LOCKED
  );
  RETURN QUERY
    WITH held AS (
      SELECT q.message_id, q.deaths > 0 AND q.group_size > 1 AS among_suspects,
        count(*) OVER (PARTITION BY q.worker)::integer AS suspects
      FROM zeke_jobs.queue AS q
      WHERE q.state = 'consumed' AND q.worker = ANY (v_lost || v_rowless)
    ),
    lost AS (
      SELECT q.message_id, h.suspects, w.host, w.pid, w.heartbeat_on, c.deaths, c.attempt, c.attempt_base,
        NOT h.among_suspects AS counts,
        CASE
          WHEN q.cancelled_on IS NOT NULL THEN 'cancelled'
          WHEN c.deaths >= 3 THEN 'quarantined'
          WHEN c.attempt - c.attempt_base > coalesce(r.most, 0) THEN 'failed'
          ELSE 'rescued'
        END AS outcome
      FROM held AS h
      JOIN zeke_jobs.queue AS q ON q.message_id = h.message_id
      LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
      LEFT JOIN LATERAL zeke_jobs.find_task(q.task) AS t ON true
      CROSS JOIN LATERAL (SELECT coalesce((q.message #>> '{options,retry,limit}')::integer, t.retry_limit) AS most) AS r
      CROSS JOIN LATERAL (
        SELECT q.deaths + (NOT h.among_suspects)::integer AS deaths, q.attempt + (q.started_on IS NULL)::integer AS attempt,
          q.attempt_base + (h.among_suspects OR h.suspects > 1 AND r.most > 0)::integer AS attempt_base) AS c
      WHERE q.message_id = ANY (v_taken)
    ),
    ended AS (
      UPDATE zeke_jobs.queue AS q
      SET state = CASE WHEN l.outcome = 'rescued' THEN 'queued' ELSE 'rejected' END::zeke_jobs.state,
        worker = NULL, ahead = false, mtime = v_now, attempt = l.attempt, attempt_base = l.attempt_base, deaths = l.deaths,
        group_size = (l.suspects + 1) / 2,
        completed_on = CASE WHEN l.outcome <> 'rescued' THEN v_now END,
        attempts = q.attempts || jsonb_strip_nulls(jsonb_build_object(
          'attempt', l.attempt, 'outcome', 'died', 'worker', q.worker, 'revision', q.revision,
          -- A job that waited for a slot may have started or not.
          'started_on', CASE WHEN NOT q.waits THEN coalesce(q.started_on, q.claimed_on) END, 'ended_on', v_now,
          'error', jsonb_build_object(
            'type', 'WorkerDied',
            'message', format('the worker process on %s (pid %s) last proved life at %s; %s%s', coalesce(l.host, '?'),
              coalesce(l.pid::text, '?'),
              coalesce(to_char(l.heartbeat_on AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'a time that is no longer known'),
              CASE
                WHEN NOT l.counts THEN 'it ran several suspects, so this death counts for none of them'
                WHEN l.suspects > 1 THEN format('death %s of this job, one of %s that may have been the cause', l.deaths, l.suspects)
                ELSE format('death %s of this job', l.deaths) END,
              CASE l.outcome WHEN 'quarantined' THEN ', quarantined' WHEN 'failed' THEN ', no retries left' ELSE '' END))))
      FROM lost AS l
      WHERE q.message_id = l.message_id
      RETURNING q.message_id, q.task, q.deaths, l.outcome, q.awaited
    ),
    announced AS (
      SELECT pg_notify('zeke_jobs.done', e.message_id::text) FROM ended AS e
      WHERE e.awaited AND e.outcome <> 'rescued'
    )
    SELECT e.message_id, e.task, e.deaths, e.outcome FROM ended AS e WHERE (SELECT count(*) FROM announced) >= 0;
  PERFORM zeke_jobs.settle(v_taken, 'cut off');
  DELETE FROM zeke_jobs.worker AS w WHERE w.id = ANY (v_lost);
  PERFORM zeke_jobs.ring(n.queue) FROM (SELECT DISTINCT t.queue FROM zeke_jobs.task AS t) AS n;
END
$$;

-- Record proof of life. Returns whether this process still counts as alive, the revision in force, and whether to run only suspects.
CREATE OR REPLACE FUNCTION zeke_jobs.heartbeat(p_worker uuid, p_busy integer, p_revision integer, p_stopping boolean)
RETURNS TABLE (alive boolean, revision integer, alone boolean)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
  v_queues text[];
  v_tasks text[];
  v_alone boolean;
  v_groups bigint;
BEGIN
  UPDATE zeke_jobs.worker AS w
  SET heartbeat_on = zeke_jobs.now(), busy = p_busy, revision = p_revision, stopping = p_stopping
  WHERE w.id = p_worker
  RETURNING w.queues, w.tasks, w.alone INTO v_queues, v_tasks, v_alone;
  IF v_queues IS NULL THEN
    RETURN QUERY SELECT false, 0, false;
    RETURN;
  END IF;
  -- For each group of suspects one process stops claiming other jobs, until its suspects have ended. If there are two processes or more, at
  -- least one goes on with the other jobs.
  v_groups := (
    SELECT coalesce(ceil(sum(1.0 / s.group_size)), 0) FROM zeke_jobs.startable_suspects(v_queues, v_tasks, zeke_jobs.now()) AS s);
  IF p_stopping THEN
    v_alone := false;
  ELSIF v_alone AND v_groups = 0 THEN
    v_alone := zeke_jobs.runs_suspect(p_worker);
  ELSIF NOT v_alone AND v_groups > 0 THEN
    PERFORM zeke_jobs.take_lock('alone');
    v_alone := (
      SELECT count(*) FILTER (WHERE w.alone AND NOT zeke_jobs.runs_suspect(w.id)) < v_groups
        AND count(*) FILTER (WHERE w.alone) < greatest(1, count(*) - 1)
      FROM zeke_jobs.worker AS w WHERE w.kind = 'worker' AND NOT w.stopping AND w.queues && v_queues
    );
  END IF;
  UPDATE zeke_jobs.worker AS w SET alone = v_alone WHERE w.id = p_worker AND w.alone <> v_alone;
  RETURN QUERY SELECT true, (SELECT coalesce(max(r.number), 0) FROM zeke_jobs.revision AS r), v_alone;
END
$$;

-- The names of the chores that are due. A process asks after each proof of life.
CREATE OR REPLACE FUNCTION zeke_jobs.chores() RETURNS text[]
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_until timestamptz := nullif(current_setting('zeke_jobs.chores_until', true), '')::timestamptz;
  v_chores text[] := ARRAY(
    SELECT 'rescue' WHERE EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.heartbeat_on < v_now - w.lost_after)
    UNION ALL
    SELECT 'expire' WHERE EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.attempt = 0 AND q.expires_on IS NOT NULL AND q.expires_on <= v_now)
    UNION ALL
    SELECT 'revert' WHERE EXISTS (SELECT 1 FROM zeke_jobs.overrides_over())
    UNION ALL
    SELECT 'gather' WHERE EXISTS (SELECT 1 FROM zeke_jobs.task AS t WHERE t.keys_due <= v_now AND t.per_key IS NOT NULL));
  v_begin timestamptz;
  v_took interval;
BEGIN
  IF v_until > v_now THEN
    RETURN v_chores;
  END IF;
  -- These searches read all queued and active jobs and, beside a long transaction, dead rows too. They may take a hundredth of the session's
  -- time.
  v_begin := clock_timestamp();
  v_chores := v_chores || ARRAY(
    SELECT 'rescue' WHERE EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'consumed' AND q.claimed_on < v_now - interval '1 minute'
        AND NOT EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.id = q.worker))
    UNION ALL
    SELECT 'gather' WHERE EXISTS (
      SELECT 1 FROM zeke_jobs.queued_names() AS p CROSS JOIN LATERAL zeke_jobs.find_task(p.task) AS t
      WHERE t.id <> p.task OR t.queue <> p.queue));
  v_took := clock_timestamp() - v_begin;
  IF v_took > interval '50 ms' THEN
    PERFORM set_config('zeke_jobs.chores_until', (v_now + 100 * v_took)::text, false);
  END IF;
  RETURN v_chores;
END
$$;
