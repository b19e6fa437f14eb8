-- All other files use these functions. A function that consists of one query is written in SQL if the planner can inline it. Such a function has no SET
-- clause, and is at least as volatile as the functions that it calls. Most other functions are written in PL/pgSQL, which caches their plans.

-- Return the current time. Tests replace this function. STABLE lets conditions on the time use indexes. In SQL instead of PL/pgSQL, a call would take 20 µs.
CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN clock_timestamp(); END $$;

-- Return the task whose id or alias is p_name.
CREATE OR REPLACE FUNCTION zeke_jobs.find_task(p_name text) RETURNS zeke_jobs.task
LANGUAGE plpgsql STABLE SET jit = off AS $$ BEGIN
  RETURN (SELECT t FROM zeke_jobs.task AS t WHERE t.id = p_name OR p_name = ANY (t.aliases) ORDER BY (t.id = p_name) DESC LIMIT 1);
END $$;

-- Return a UUID of version 7. The UUID begins with the time, so new rows go to one edge of the primary key's index.
CREATE OR REPLACE FUNCTION zeke_jobs.new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid $$;

-- Return the status of a job, named as in pg-boss. Postgres parses a body with RETURN at creation, so the caller's search path has no effect on the body.
CREATE OR REPLACE FUNCTION zeke_jobs.status_of(p_state zeke_jobs.state, p_attempt integer, p_cancelled_on timestamptz) RETURNS zeke_jobs.job_status
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE p_state WHEN 'queued' THEN CASE WHEN p_attempt = 0 THEN 'created' ELSE 'retry' END WHEN 'consumed' THEN 'active' WHEN 'done' THEN 'completed'
  ELSE CASE WHEN p_cancelled_on IS NULL THEN 'failed' ELSE 'cancelled' END END::zeke_jobs.job_status;

-- Return the key to store for a job that was sent without one: its id if its task has a limit per key, '-' if its task has only fair shares per key, else NULL.
CREATE OR REPLACE FUNCTION zeke_jobs.own_key(p_per_key integer, p_share jsonb, p_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN p_per_key IS NOT NULL THEN p_id WHEN p_share IS NOT NULL THEN '-' END $$;

-- Convert a duration such as 1h30m to an interval, reduced to a thousand years if it is longer. For any other text, return NULL, so that the views do not fail.
CREATE OR REPLACE FUNCTION zeke_jobs.length_of(p_duration text) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_duration ~ '^([0-9]{1,9}([.][0-9]{1,6})? ?(ms|s|m|h|d|w|seconds?|minutes?|hours?|days?) ?){1,6}$'
  THEN least(p_duration::interval, interval '1000 years') END;

CREATE OR REPLACE FUNCTION zeke_jobs.seconds_of(p_duration text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN zeke_jobs.length_of(p_duration) IS NOT NULL THEN least(extract(epoch FROM zeke_jobs.length_of(p_duration)), 2147483647)::integer END;

-- Return a JSON number as an integer, and NULL for any other JSON value.
CREATE OR REPLACE FUNCTION zeke_jobs.integer_of(p_value jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(p_value) = 'number' THEN least(greatest(p_value::numeric, -2147483648), 2147483647)::integer END;

CREATE OR REPLACE FUNCTION zeke_jobs.camel_of_words(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
  SELECT string_agg(CASE WHEN n = 1 THEN word ELSE upper(left(word, 1)) || substr(word, 2) END, '' ORDER BY n)
  FROM unnest(string_to_array(p_name, '_')) WITH ORDINALITY AS w (word, n));

-- Turn story_id into storyId. The planner inlines this function. Only a name with an underscore needs camel_of_words, which takes thirty times as long.
CREATE OR REPLACE FUNCTION zeke_jobs.camel(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN strpos(p_name, '_') = 0 THEN p_name ELSE zeke_jobs.camel_of_words(p_name) END;

-- Return the properties, items and additionalProperties of a JSON Schema, merged with those of the schemas in its $ref, anyOf, oneOf and allOf.
CREATE OR REPLACE FUNCTION zeke_jobs.shape(p_schema jsonb, p_root jsonb, p_depth integer DEFAULT 0) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET jit = off AS $$
DECLARE
  v_shape jsonb := '{}';
  v_part jsonb;
BEGIN
  IF jsonb_typeof(p_schema) IS DISTINCT FROM 'object' OR p_depth > 16 THEN RETURN v_shape; END IF;
  FOR v_part IN
    SELECT zeke_jobs.shape(p_root #> string_to_array(substr(p_schema ->> '$ref', 3), '/'), p_root, p_depth + 1) WHERE p_schema ? '$ref'
    UNION ALL
    SELECT zeke_jobs.shape(b.value, p_root, p_depth + 1)
    FROM unnest(ARRAY['anyOf', 'oneOf', 'allOf']) AS k (keyword),
      jsonb_array_elements(CASE jsonb_typeof(p_schema -> k.keyword) WHEN 'array' THEN p_schema -> k.keyword ELSE '[]' END) AS b (value)
    UNION ALL
    SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(p_schema) AS e
    WHERE e.key IN ('items', 'additionalProperties') OR e.key = 'properties' AND jsonb_typeof(e.value) = 'object'
  LOOP
    v_shape := v_shape || v_part
      || jsonb_build_object('properties', coalesce(v_shape -> 'properties', '{}') || coalesce(v_part -> 'properties', '{}'));
  END LOOP;
  RETURN v_shape;
END $$;

-- Turn the keys of a JSON value into snake_case or camelCase, at any depth. Keys that the JSON Schema does not name stay unchanged.
CREATE OR REPLACE FUNCTION zeke_jobs.rename_keys(p_value jsonb, p_schema jsonb, p_root jsonb, p_to_camel boolean) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET jit = off AS $$
DECLARE
  v_shape jsonb;
  v_renamed jsonb;
  v_given bigint;
BEGIN
  IF jsonb_typeof(p_value) NOT IN ('object', 'array') OR p_schema IS NULL THEN RETURN p_value; END IF;
  v_shape := zeke_jobs.shape(p_schema, p_root);
  IF jsonb_typeof(p_value) = 'array' THEN
    RETURN (
      SELECT coalesce(jsonb_agg(zeke_jobs.rename_keys(e.value, v_shape -> 'items', p_root, p_to_camel) ORDER BY e.n), '[]')
      FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n));
  END IF;
  SELECT count(*),
    jsonb_object_agg(
      CASE WHEN f.name IS NULL THEN e.key WHEN p_to_camel THEN zeke_jobs.camel(f.name) ELSE f.name END,
      zeke_jobs.rename_keys(e.value, coalesce(f.schema, v_shape -> 'additionalProperties'), p_root, p_to_camel))
  INTO v_given, v_renamed FROM jsonb_each(p_value) AS e (key, value)
  LEFT JOIN jsonb_each(coalesce(v_shape -> 'properties', '{}')) AS f (name, schema)
    ON f.name = e.key OR NOT p_to_camel AND zeke_jobs.camel(f.name) = e.key;
  IF v_given > (SELECT count(*) FROM jsonb_object_keys(v_renamed)) AND NOT p_to_camel THEN
    PERFORM zeke_jobs.refuse(
      'expected each field once, got one in both snake_case and camelCase: ' || (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(p_value) AS k));
  END IF;
  RETURN coalesce(v_renamed, '{}');
END $$;

-- Return the attempts of a job without the messages of their errors.
CREATE OR REPLACE FUNCTION zeke_jobs.brief_attempts(p_attempts jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp AS $$
  SELECT CASE WHEN p_attempts = '[]' OR jsonb_typeof(p_attempts) <> 'array' THEN '[]' ELSE (
    SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'attempt', a.value -> 'attempt', 'outcome', a.value -> 'outcome', 'started_on', a.value -> 'started_on', 'ended_on', a.value -> 'ended_on',
      'error', jsonb_build_object('type', a.value #> '{error,type}'))) ORDER BY a.n)
    FROM jsonb_array_elements(p_attempts) WITH ORDINALITY AS a (value, n)) END $$;

-- Wait for a lock, and hold the lock until the transaction ends. The caller's next statement sees what the last holder of the lock committed.
CREATE OR REPLACE FUNCTION zeke_jobs.take_lock(p_name text) RETURNS void
LANGUAGE sql VOLATILE AS $$
  INSERT INTO zeke_jobs.lock (name) VALUES (p_name)
  ON CONFLICT (name) DO UPDATE SET name = excluded.name WHERE false -- this clause locks the row without a write
$$;

-- Raise p_sentence as an error, or do nothing if p_sentence is NULL.
CREATE OR REPLACE FUNCTION zeke_jobs.refuse(p_sentence text, p_code text DEFAULT 'invalid_parameter_value') RETURNS void
LANGUAGE plpgsql VOLATILE AS $$ -- a VOLATILE function is not called at planning time
BEGIN
  IF p_sentence IS NOT NULL THEN RAISE EXCEPTION '%', p_sentence USING ERRCODE = p_code; END IF;
END $$;
