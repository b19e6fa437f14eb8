-- Waking idle processes.

-- Wake the processes that wait for jobs of a queue: one at once, the others a moment later unless they have looked by then, because one job does
-- not need a look by each of them. If none waits, send nothing: a NOTIFY in every send would serialise commits.
CREATE OR REPLACE FUNCTION zeke_jobs.ring(p_queue text) RETURNS void
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
AS $$
DECLARE
  -- Choose the first process by a hash, so that all jobs of a transaction wake the same one.
  v_first uuid := (
    SELECT w.id FROM zeke_jobs.worker AS w WHERE p_queue = ANY (w.idle)
    ORDER BY uuid_hash_extended(w.id, pg_current_xact_id()::text::bigint) LIMIT 1);
BEGIN
  IF v_first IS NOT NULL THEN
    PERFORM pg_notify('zeke_jobs.' || p_queue, v_first::text);
  END IF;
END
$$;

-- Wake processes for new rows. A trigger sees the rows of all senders: zeke_jobs.send, SQL and dramatiq-pg's producers.
CREATE OR REPLACE FUNCTION zeke_jobs.ring_for_new() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM zeke_jobs.worker WHERE idle <> '{}') THEN
    PERFORM zeke_jobs.ring(n.queue_name) FROM (SELECT DISTINCT queue_name FROM new_rows) AS n;
  END IF;
  RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER queue_ring AFTER INSERT ON zeke_jobs.queue
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION zeke_jobs.ring_for_new();

-- Jobs of these tasks have ended. Wake the processes that found jobs held back by the same limits, in any queue. If the caller is one of them, it
-- looks by itself, and the others are woken a moment later unless they have looked by then.
CREATE OR REPLACE FUNCTION zeke_jobs.ring_for_freed(p_tasks text[], p_ringer uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.limited <> '{}' AND w.id IS DISTINCT FROM p_ringer) THEN
    PERFORM pg_notify('zeke_jobs.' || f.queue, CASE WHEN f.is_looked_at THEN 'later' ELSE '' END)
    FROM (
      SELECT o.queue, bool_or(w.id IS NOT DISTINCT FROM p_ringer) AS is_looked_at, bool_or(w.id IS DISTINCT FROM p_ringer) AS is_awaited
      FROM zeke_jobs.worker AS w
      JOIN zeke_jobs.task AS o ON o.id = ANY (w.limited)
      -- If a task was renamed after the claim, its job ended under the former name.
      JOIN zeke_jobs.task AS t ON t.id || t.aliases && p_tasks AND (t.id = o.id OR t.gates && o.gates)
      GROUP BY o.queue
    ) AS f
    WHERE f.is_awaited;
  END IF;
END
$$;
