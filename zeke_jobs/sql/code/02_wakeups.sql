-- Waking idle processes: who is notified, and by which change.

-- Ring the doorbell of a queue for all others that wait at it. A NOTIFY in every send would serialise commits.
CREATE OR REPLACE FUNCTION zeke_jobs.ring(p_queue text, p_ringer uuid DEFAULT NULL) RETURNS void
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
CREATE OR REPLACE FUNCTION zeke_jobs.ring_one(p_queue text, p_task text) RETURNS void
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
CREATE OR REPLACE FUNCTION zeke_jobs.ring_for_new() RETURNS trigger
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

CREATE OR REPLACE TRIGGER queue_ring AFTER INSERT ON zeke_jobs.queue
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION zeke_jobs.ring_for_new();

-- Jobs of these tasks ended: ring for those that a limit of theirs held back, in whatever queue; not for the ringer, which looks by itself.
CREATE OR REPLACE FUNCTION zeke_jobs.ring_for_freed(p_tasks text[], p_ringer uuid DEFAULT NULL) RETURNS void
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
