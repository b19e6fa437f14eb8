-- Live processes: a row each, proof of life, and the return of what the dead ones held.

CREATE TABLE zeke_jobs.worker (
  id uuid NOT NULL,
  kind text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  queues text[] NOT NULL DEFAULT '{}',
  tasks text[] NOT NULL DEFAULT '{}',
  threads integer NOT NULL DEFAULT 0,
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
  CONSTRAINT worker_pkey PRIMARY KEY (id),
  CONSTRAINT worker_kind CHECK (kind IN ('worker', 'scheduler'))
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.worker IS 'One row per live process.';
COMMENT ON COLUMN zeke_jobs.worker.idle IS 'Queues at whose doorbell it waits: the next send rings it.';
COMMENT ON COLUMN zeke_jobs.worker.limited IS 'Tasks of which it found jobs due that a limit held back: who frees a slot rings it.';
COMMENT ON COLUMN zeke_jobs.worker.alone IS 'Makes itself empty to run jobs during which a worker died, and nothing else.';
COMMENT ON COLUMN zeke_jobs.worker.revision IS 'Revision of jobs.yaml that it runs by; file_revision is that of its own file.';
COMMENT ON COLUMN zeke_jobs.worker.lost_after IS 'Without a heartbeat for so long, others return its jobs to the queue.';

-- Jobs that were claimed ahead of a limit start in their worker in the slots of jobs that end there (zeke_jobs.queue.ahead). Their rows do
-- not count against the limit: this does, from the moment when the row that held the slot no longer does.
CREATE TABLE zeke_jobs.kept_slot (
  worker uuid NOT NULL,
  task text NOT NULL,
  count integer NOT NULL,
  said bigint NOT NULL,
  CONSTRAINT kept_slot_pkey PRIMARY KEY (worker, task),
  CONSTRAINT kept_slot_worker FOREIGN KEY (worker) REFERENCES zeke_jobs.worker (id) ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.kept_slot IS 'Slots of limits that workers keep for jobs they claimed ahead, beside the jobs that are counted by their rows.';
COMMENT ON COLUMN zeke_jobs.kept_slot.said IS 'Grows with each word of the worker; an older one that comes later changes nothing.';

-- What a worker says of the slots that it keeps. Says nothing for one that was taken for dead.
CREATE FUNCTION zeke_jobs.keep_slots(p_worker uuid, p_tasks text[], p_counts integer[], p_said bigint) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  PERFORM 1 FROM zeke_jobs.worker AS w WHERE w.id = p_worker FOR KEY SHARE;
  IF FOUND THEN
    INSERT INTO zeke_jobs.kept_slot AS s (worker, task, count, said)
    SELECT p_worker, k.task, k.count, p_said FROM unnest(p_tasks, p_counts) AS k (task, count) ORDER BY k.task
    ON CONFLICT ON CONSTRAINT kept_slot_pkey DO UPDATE SET count = excluded.count, said = excluded.said WHERE s.said < excluded.said;
  END IF;
END
$$;

-- How many jobs of each task hold a slot of its limits. A count for each name: a planner without statistics would read, for a join, what is
-- active of all tasks. What was claimed before a rename is active under the former name.
CREATE VIEW zeke_jobs.task_active AS
SELECT
  t.id AS task,
  t.gates,
  (SELECT sum(
     (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = n.name AND NOT q.ahead)
     + (SELECT coalesce(sum(s.count), 0) FROM zeke_jobs.kept_slot AS s WHERE s.task = n.name))
   FROM unnest(t.id || t.aliases) AS n (name))::bigint AS active
FROM zeke_jobs.task AS t;
COMMENT ON VIEW zeke_jobs.task_active IS 'How many jobs of each task hold a slot of its limits.';

-- Ring the doorbell of a queue for all others that wait at it. A NOTIFY in every send would serialise commits.
CREATE FUNCTION zeke_jobs.ring(p_queue text, p_ringer uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE p_queue = ANY (w.idle) AND w.id IS DISTINCT FROM p_ringer) THEN
    PERFORM pg_notify('zeke_jobs.' || p_queue, '');
  END IF;
END
$$;

-- Ring it for one of them, by chance and rather one that serves the task. All hear it; those that are not named look a moment later,
-- should that one not take the job. A claim of each process for each job would cost more than the job.
CREATE FUNCTION zeke_jobs.ring_one(p_queue text, p_task text) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
  v_worker uuid;
BEGIN
  SELECT w.id INTO v_worker FROM zeke_jobs.worker AS w
  WHERE p_queue = ANY (w.idle)
  ORDER BY w.stopping, p_task = ANY (w.tasks) DESC, random()
  LIMIT 1;
  IF FOUND THEN
    PERFORM pg_notify('zeke_jobs.' || p_queue, v_worker::text);
  END IF;
END
$$;

-- New rows ring for all senders alike: ours, SQL's, dramatiq-pg's.
CREATE FUNCTION zeke_jobs.ring_for_new() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM zeke_jobs.worker WHERE idle <> '{}') THEN
    PERFORM CASE WHEN n.count = 1 THEN zeke_jobs.ring_one(n.queue_name, n.task) ELSE zeke_jobs.ring(n.queue_name) END
    FROM (SELECT queue_name, count(*), min(task) AS task FROM new_rows GROUP BY queue_name) AS n;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER queue_ring AFTER INSERT ON zeke_jobs.queue
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION zeke_jobs.ring_for_new();

-- Jobs of these tasks ended: ring for those that a limit of theirs held back, in whatever queue; not for the ringer, which looks by itself.
CREATE FUNCTION zeke_jobs.ring_for_freed(p_tasks text[], p_ringer uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.limited <> '{}' AND w.id IS DISTINCT FROM p_ringer) THEN
    PERFORM pg_notify('zeke_jobs.' || f.queue, '')
    FROM (
      SELECT DISTINCT o.queue
      FROM zeke_jobs.worker AS w
      JOIN zeke_jobs.task AS o ON o.id = ANY (w.limited)
      -- What was claimed before a rename ended under the former name.
      JOIN zeke_jobs.task AS t ON t.id || t.aliases && p_tasks AND (t.id = o.id OR t.gates && o.gates)
      WHERE w.id IS DISTINCT FROM p_ringer
    ) AS f;
  END IF;
END
$$;

-- The suspects (jobs during which a worker died) that could start now in a process that serves these tasks, the oldest first, and of how
-- many suspects at most the group may be in which each runs. Nothing is locked, so a claim asks again. Only for them may a process make
-- itself empty.
CREATE FUNCTION zeke_jobs.startable_suspects(p_queues text[], p_tasks text[], p_now timestamptz)
RETURNS TABLE (message_id uuid, group_size integer)
LANGUAGE plpgsql VOLATILE ROWS 64
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  v_tasks text[] := ARRAY(
    SELECT DISTINCT q.task FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = ANY (p_queues) AND q.run_at <= p_now AND q.task = ANY (p_tasks));
BEGIN
  IF cardinality(v_tasks) = 0 THEN
    RETURN;
  END IF;
  v_tasks := ARRAY(
    SELECT t.id FROM zeke_jobs.task AS t
    WHERE t.id = ANY (v_tasks) AND NOT t.paused
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.pause AS p WHERE p.target = 'task/' || t.id OR p.target = ANY (t.gates))
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.gate AS g WHERE g.name = ANY (t.gates) AND zeke_jobs.gate_room(g, p_now) < 1));
  RETURN QUERY
    SELECT q.message_id, q.group_size
    FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task
    WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = ANY (p_queues) AND q.run_at <= p_now AND t.id = ANY (v_tasks)
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.pause AS p WHERE p.target = 'queue/' || q.queue_name)
      AND (t.per_key IS NULL OR q.key IS NULL OR t.per_key > (
        SELECT sum((SELECT count(*) FROM zeke_jobs.queue AS a WHERE a.state = 'consumed' AND a.task = n.name AND a.key = q.key))
        FROM unnest(t.id || t.aliases) AS n (name)))
    ORDER BY q.run_at
    LIMIT 64;
END
$$;

-- Whether a process holds a job during which another one died.
CREATE FUNCTION zeke_jobs.runs_suspect(p_worker uuid) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.worker = p_worker AND q.deaths > 0)
$$;

-- Proof of life. Answers whether this process still counts as alive, the revision in force, and whether to run only suspects.
CREATE FUNCTION zeke_jobs.heartbeat(p_worker uuid, p_busy integer, p_revision integer, p_stopping boolean)
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
  -- As many processes make themselves empty as there are groups of suspects, and one at least goes on with the rest where there are
  -- two. It stays empty until its suspects have ended.
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
