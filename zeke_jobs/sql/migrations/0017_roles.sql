-- What somebody may do who has no rights to the tables: send, wait, read. Who may, `zeke-jobs roles` says.

-- What a sender must know of the task that a name or an alias means, and no more of it.
CREATE FUNCTION zeke_jobs.known_task(
  p_name text, OUT id text, OUT revision integer, OUT payload_schema jsonb, OUT sensitive text[])
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
  SELECT t.id, t.revision, t.payload_schema, t.sensitive FROM zeke_jobs.find_task(p_name) AS t WHERE t.id IS NOT NULL
$$;

-- Every name that send accepts.
CREATE FUNCTION zeke_jobs.task_names() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
  SELECT n.name FROM zeke_jobs.task AS t CROSS JOIN LATERAL unnest(t.id || t.aliases) AS n (name) ORDER BY n.name
$$;

-- Ask for the end of a job to be announced on channel zeke_jobs.done. NULL: it has ended already, or is unknown.
-- Rings, because a claim that came by while this held the row has passed it over.
CREATE FUNCTION zeke_jobs.await_end(p_id uuid) RETURNS zeke_jobs.state
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_job record;
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET awaited = true
  WHERE q.message_id = p_id AND q.state IN ('queued', 'consumed')
  RETURNING q.state, q.queue_name INTO v_job;
  IF v_job.state = 'queued' THEN
    PERFORM zeke_jobs.ring(v_job.queue_name);
  END IF;
  RETURN v_job.state;
END
$$;

-- What a completed job returned, for who waits for it; the views mask sensitive fields.
CREATE FUNCTION zeke_jobs.output_of(p_id uuid) RETURNS SETOF jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
  SELECT q.result FROM zeke_jobs.queue AS q WHERE q.message_id = p_id AND q.state = 'done'
$$;

-- Sending is the owner's deed: a client has no rights to the table.
ALTER FUNCTION zeke_jobs.send(text, jsonb, jsonb) SECURITY DEFINER SET search_path TO pg_catalog, pg_temp;
ALTER FUNCTION zeke_jobs.enqueue(text, integer, jsonb, jsonb) SECURITY DEFINER SET search_path TO pg_catalog, pg_temp;
ALTER FUNCTION zeke_jobs.enqueue_many(text, integer, jsonb, uuid[], text[], jsonb)
  SECURITY DEFINER SET search_path TO pg_catalog, pg_temp;
-- What views call runs with the reader's own rights, which are to views only.
ALTER FUNCTION zeke_jobs.oldest_due(text, text) SECURITY DEFINER SET search_path TO pg_catalog, pg_temp;
ALTER FUNCTION zeke_jobs.depth(text, text, integer) SECURITY DEFINER SET search_path TO pg_catalog, pg_temp;
ALTER FUNCTION zeke_jobs.pace(text, integer) SECURITY DEFINER SET search_path TO pg_catalog, pg_temp;

REVOKE ALL ON FUNCTION
  zeke_jobs.known_task(text), zeke_jobs.task_names(), zeke_jobs.await_end(uuid), zeke_jobs.output_of(uuid),
  zeke_jobs.send(text, jsonb, jsonb), zeke_jobs.enqueue(text, integer, jsonb, jsonb),
  zeke_jobs.enqueue_many(text, integer, jsonb, uuid[], text[], jsonb),
  zeke_jobs.oldest_due(text, text), zeke_jobs.depth(text, text, integer), zeke_jobs.pace(text, integer)
FROM PUBLIC;
