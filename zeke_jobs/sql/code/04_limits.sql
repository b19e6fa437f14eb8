-- How much room the limits leave, and which slots are taken.

-- What a worker says of the slots that it keeps. Says nothing for one that was taken for dead.
CREATE OR REPLACE FUNCTION zeke_jobs.keep_slots(p_worker uuid, p_tasks text[], p_counts integer[], p_said bigint) RETURNS void
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
CREATE OR REPLACE VIEW zeke_jobs.task_active AS
SELECT
  t.id AS task,
  t.gates,
  (SELECT sum(
     (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = n.name AND NOT q.ahead)
     + (SELECT coalesce(sum(s.count), 0) FROM zeke_jobs.kept_slot AS s WHERE s.task = n.name))
   FROM unnest(t.id || t.aliases) AS n (name))::bigint AS active
FROM zeke_jobs.task AS t;
COMMENT ON VIEW zeke_jobs.task_active IS 'How many jobs of each task hold a slot of its limits.';

-- How many more jobs a gate's concurrency, its rate and both let through; NULL where it has none, and less than none where a limit was
-- lowered. Call them with the gate's row locked, in
-- a statement after the one that locked it: a count in the locking statement reads a snapshot from before the lock, and lets too many through.
CREATE OR REPLACE FUNCTION zeke_jobs.active_room(p_gate zeke_jobs.gate) RETURNS integer
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
AS $$
BEGIN
  IF p_gate.concurrency IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN p_gate.concurrency - (SELECT sum(a.active) FROM zeke_jobs.task_active AS a WHERE p_gate.name = ANY (a.gates));
END
$$;

CREATE OR REPLACE FUNCTION zeke_jobs.rate_room(p_gate zeke_jobs.gate, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  IF p_gate.rate_count IS NULL THEN
    RETURN NULL;
  END IF;
  -- A quarter of a second more than the period: a start may come that much later than its claim.
  RETURN greatest(0, p_gate.rate_count - (
    SELECT coalesce(sum(u.count), 0)
    FROM zeke_jobs.rate_use AS u
    WHERE u.gate = p_gate.name AND u.used_on > p_now - p_gate.rate_period - interval '250 ms'));
END
$$;

CREATE OR REPLACE FUNCTION zeke_jobs.gate_room(p_gate zeke_jobs.gate, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  RETURN least(zeke_jobs.active_room(p_gate), zeke_jobs.rate_room(p_gate, p_now));
END
$$;

-- When rates that are full, as counted at p_counted_on, first let a job of some of these tasks through; NULL where none of theirs is full.
-- One that was lowered may be full for longer.
CREATE OR REPLACE FUNCTION zeke_jobs.rate_opens(p_tasks text[], p_full text[], p_counted_on timestamptz) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  RETURN (
    SELECT min(o.opens)
    FROM (
      SELECT max(g.rate_period + interval '250 ms' + (
        SELECT min(u.used_on) FROM zeke_jobs.rate_use AS u
        WHERE u.gate = g.name AND u.used_on > p_counted_on - g.rate_period - interval '250 ms')) AS opens
      FROM zeke_jobs.task AS t JOIN zeke_jobs.gate AS g ON g.name = ANY (t.gates) AND g.name = ANY (p_full)
      WHERE t.id = ANY (p_tasks)
      GROUP BY t.id
    ) AS o
  );
END
$$;
