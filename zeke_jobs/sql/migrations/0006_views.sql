-- What people and their dashboards read.

-- A value without the fields that are called sensitive, by name or by path (user.email). A path leads through lists; where it ends early, in
-- a text for example, that is masked.
CREATE FUNCTION zeke_jobs.masked(p_value jsonb, p_fields text[], p_inside boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  IF coalesce(cardinality(p_fields), 0) = 0 THEN
    RETURN p_value;
  END IF;
  CASE jsonb_typeof(p_value)
    WHEN 'object' THEN
      RETURN (
        SELECT coalesce(jsonb_object_agg(
          e.key, CASE WHEN '' = ANY (f.rests) THEN '"***"' ELSE zeke_jobs.masked(e.value, f.rests, true) END), '{}')
        FROM jsonb_each(p_value) AS e (key, value)
        CROSS JOIN LATERAL (
          SELECT array_agg(substr(n.field, length(n.name) + 2)) AS rests
          FROM (SELECT p.field, split_part(p.field, '.', 1) AS name FROM unnest(p_fields) AS p (field)) AS n
          WHERE e.key IN (n.name, zeke_jobs.camel(n.name))) AS f);
    WHEN 'array' THEN
      RETURN (
        SELECT coalesce(jsonb_agg(zeke_jobs.masked(e.value, p_fields, p_inside) ORDER BY e.n), '[]')
        FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n));
    WHEN 'null' THEN
      RETURN p_value;
    ELSE
      RETURN CASE WHEN p_inside THEN '"***"' ELSE p_value END;
  END CASE;
END
$$;

-- The texts in a payload's sensitive fields, the longest first, also as JSON spells them. Shorter ones are common words.
CREATE FUNCTION zeke_jobs.secrets(p_payload jsonb, p_fields text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  WITH RECURSIVE at (value, path) AS (
    SELECT p_payload, string_to_array(f.field, '.') FROM unnest(p_fields) AS f (field)
    UNION ALL
    SELECT n.value, n.path
    FROM at AS a
    CROSS JOIN LATERAL (
      SELECT e.value, CASE WHEN a.path = '{}' THEN a.path ELSE a.path[2:] END AS path
      FROM jsonb_each(CASE jsonb_typeof(a.value) WHEN 'object' THEN a.value ELSE '{}' END) AS e (key, value)
      WHERE a.path = '{}' OR e.key IN (a.path[1], zeke_jobs.camel(a.path[1]))
      UNION ALL
      SELECT e.value, a.path
      FROM jsonb_array_elements(CASE jsonb_typeof(a.value) WHEN 'array' THEN a.value ELSE '[]' END) AS e (value)) AS n
  ),
  leaf (text) AS (
    SELECT a.value #>> '{}' FROM at AS a WHERE jsonb_typeof(a.value) IN ('string', 'number')
  ),
  form (text) AS (
    SELECT l.text FROM leaf AS l
    UNION
    SELECT substr(to_jsonb(l.text)::text, 2, length(to_jsonb(l.text)::text) - 2) FROM leaf AS l
  )
  SELECT coalesce(array_agg(f.text ORDER BY length(f.text) DESC), '{}') FROM form AS f WHERE length(f.text) >= 4
$$;

-- A value with a mask wherever a text in it quotes a secret.
CREATE FUNCTION zeke_jobs.without(p_value jsonb, p_secrets text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_text text;
  v_secret text;
BEGIN
  CASE jsonb_typeof(p_value)
    WHEN 'object' THEN
      RETURN (
        SELECT coalesce(jsonb_object_agg(
          zeke_jobs.without(to_jsonb(e.key), p_secrets) #>> '{}', zeke_jobs.without(e.value, p_secrets)), '{}')
        FROM jsonb_each(p_value) AS e (key, value));
    WHEN 'array' THEN
      RETURN (
        SELECT coalesce(jsonb_agg(zeke_jobs.without(e.value, p_secrets) ORDER BY e.n), '[]')
        FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n));
    WHEN 'string' THEN
      v_text := p_value #>> '{}';
      FOREACH v_secret IN ARRAY p_secrets LOOP
        v_text := replace(v_text, v_secret, '***');
      END LOOP;
      RETURN to_jsonb(v_text);
    WHEN 'number' THEN
      RETURN CASE WHEN p_value #>> '{}' = ANY (p_secrets) THEN '"***"' ELSE p_value END;
    ELSE
      RETURN p_value;
  END CASE;
END
$$;

-- What a job says of itself, such as an error, without what its payload's sensitive fields hold.
CREATE FUNCTION zeke_jobs.unquoted(p_value jsonb, p_message jsonb, p_fields text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_secrets text[];
BEGIN
  IF coalesce(cardinality(p_fields), 0) = 0 OR p_value IS NULL OR p_value IN ('[]', '{}', 'null') THEN
    RETURN p_value;
  END IF;
  v_secrets := zeke_jobs.secrets(p_message -> 'kwargs', p_fields);
  RETURN CASE WHEN v_secrets = '{}' THEN p_value ELSE zeke_jobs.without(p_value, v_secrets) END;
END
$$;
CREATE FUNCTION zeke_jobs.unquoted(p_value text, p_message jsonb, p_fields text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  IF coalesce(cardinality(p_fields), 0) = 0 OR p_value IS NULL THEN
    RETURN p_value;
  END IF;
  RETURN zeke_jobs.unquoted(to_jsonb(p_value), p_message, p_fields) #>> '{}';
END
$$;

-- Jobs in pg-boss's vocabulary. data has its keys as stored, in snake_case; schema pgboss has a view with pg-boss's own columns.
CREATE VIEW zeke_jobs.job AS
SELECT
  q.message_id AS id,
  q.task AS name,
  zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on, q.waits) AS state,
  q.queue_name AS queue,
  q.priority,
  zeke_jobs.masked(q.message -> 'kwargs', s.fields) AS data,
  CASE WHEN q.state = 'done'
    THEN zeke_jobs.unquoted(zeke_jobs.masked(nullif(q.result, 'null'), s.fields), q.message, s.fields) END AS output,
  zeke_jobs.unquoted(CASE
    WHEN q.state = 'rejected' AND q.cancelled_on IS NOT NULL
      THEN jsonb_build_object('type', 'Cancelled', 'message', coalesce(q.cancel_reason, 'cancelled'))
    WHEN q.state = 'rejected' OR q.attempt > 0 AND q.state = 'queued' THEN (
      SELECT a.value -> 'error'
      FROM jsonb_array_elements(q.attempts) WITH ORDINALITY AS a (value, n)
      WHERE a.value ? 'error'
      ORDER BY a.n DESC
      LIMIT 1)
  END, q.message, s.fields) AS error,
  greatest(q.attempt - 1, 0) AS retry_count,
  coalesce(t.retry_limit, 0) AS retry_limit,
  q.attempt,
  zeke_jobs.unquoted(q.attempts, q.message, s.fields) AS attempts,
  q.deaths,
  zeke_jobs.unquoted(q.progress, q.message, s.fields) AS progress,
  zeke_jobs.unquoted(q.waiting_for, q.message, s.fields) AS waiting_for,
  zeke_jobs.unquoted(q.key, q.message, s.fields) AS key,
  q.unique_key,
  zeke_jobs.unquoted(q.idempotency_key, q.message, s.fields) AS idempotency_key,
  q.parent,
  q.scheduled_for,
  q.revision,
  q.worker,
  q.run_at AS start_after,
  q.expires_on,
  q.created_on,
  q.started_on,
  q.completed_on,
  q.cancelled_on,
  zeke_jobs.unquoted(q.cancel_reason, q.message, s.fields) AS cancel_reason
FROM zeke_jobs.queue AS q
LEFT JOIN zeke_jobs.task AS t ON t.id = q.task
CROSS JOIN LATERAL (
  -- What was sensitive when it was sent, and what is now: under the name that its task has by now, too.
  SELECT nullif(q.sensitive || coalesce(t.sensitive, (
    SELECT a.sensitive FROM zeke_jobs.task AS a WHERE q.task = ANY (a.aliases) LIMIT 1)), '{}') AS fields
) AS s;
COMMENT ON VIEW zeke_jobs.job IS 'All jobs, in the words of pg-boss. Sensitive fields are masked.';

-- What is left of a job when its row is removed: enough to say that it existed, to compare revisions, and to predict.
CREATE TABLE zeke_jobs.history (
  id uuid NOT NULL,
  name text NOT NULL,
  state zeke_jobs.job_status NOT NULL,
  queue text NOT NULL,
  priority integer NOT NULL,
  key text,
  attempt integer NOT NULL,
  deaths integer NOT NULL,
  parent uuid,
  scheduled_for timestamptz,
  revision integer,
  run_at timestamptz NOT NULL,
  created_on timestamptz NOT NULL,
  started_on timestamptz,
  completed_on timestamptz NOT NULL,
  purged_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT history_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE zeke_jobs.history IS 'Jobs whose rows were removed at the end of their retention.';
-- Serves its own retention.
CREATE INDEX history_ended ON zeke_jobs.history (completed_on);
