-- Masks secrets in views: sensitive fields in payloads and outputs, and their values in what else a job says. Errors, progress and logs were masked
-- by the worker that wrote them (core/redaction.py). These functions have a fixed search path, because views call them with the reader's.

-- The texts and numbers at a path, through lists; if the path ends early, those below.
CREATE OR REPLACE FUNCTION zeke_jobs.leaves(p_value jsonb, p_path text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_found text[] := '{}';
  v_key text;
  v_item jsonb;
BEGIN
  CASE jsonb_typeof(p_value)
    WHEN 'object' THEN
      FOR v_key, v_item IN SELECT e.key, e.value FROM jsonb_each(p_value) AS e (key, value) LOOP
        IF p_path = '{}' OR v_key = p_path[1] OR v_key = zeke_jobs.camel(p_path[1]) THEN
          v_found := v_found || zeke_jobs.leaves(v_item, p_path[2:]);
        END IF;
      END LOOP;
    WHEN 'array' THEN
      FOR v_item IN SELECT e.value FROM jsonb_array_elements(p_value) AS e (value) LOOP
        v_found := v_found || zeke_jobs.leaves(v_item, p_path);
      END LOOP;
    WHEN 'string', 'number' THEN
      v_found := ARRAY[p_value #>> '{}'];
    ELSE
      NULL;
  END CASE;
  RETURN v_found;
END
$$;

-- The values of a payload's sensitive fields that a text may be searched for, the longest first, also as JSON spells them; NULL: none. A shorter
-- value, or a plain word, would be found in other words too. redaction.py has the same rule.
CREATE OR REPLACE FUNCTION zeke_jobs.secrets_in(p_payload jsonb, p_fields text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_found text[] := '{}';
  v_field text;
BEGIN
  FOREACH v_field IN ARRAY p_fields LOOP
    v_found := v_found || zeke_jobs.leaves(p_payload, string_to_array(v_field, '.'));
  END LOOP;
  RETURN (
    SELECT array_agg(f.text ORDER BY length(f.text) DESC)
    FROM unnest(v_found) AS l (text)
    CROSS JOIN LATERAL unnest(ARRAY[l.text, substr(to_jsonb(l.text)::text, 2, length(to_jsonb(l.text)::text) - 2)]) AS f (text)
    WHERE length(f.text) > 15 OR length(f.text) >= 8 AND f.text !~ '^[A-Za-z_./-]*$');
END
$$;

-- A text with a mask for each of these secrets.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_all(p_text text, p_secrets text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_secret text;
BEGIN
  FOREACH v_secret IN ARRAY coalesce(p_secrets, '{}') LOOP
    p_text := replace(p_text, v_secret, '***');
  END LOOP;
  RETURN p_text;
END
$$;

-- A text of a job, with a mask for each sensitive value of its payload that it quotes.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_text(p_text text, p_payload jsonb, p_fields text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
  RETURN CASE WHEN p_text IS NULL OR p_fields IS NULL THEN p_text ELSE zeke_jobs.mask_all(p_text, zeke_jobs.secrets_in(p_payload, p_fields)) END;
END
$$;

-- A JSON value with a mask for each text and number in it that quotes a secret.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_texts(p_value jsonb, p_secrets text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  RETURN CASE jsonb_typeof(p_value)
    WHEN 'object' THEN (
      SELECT coalesce(jsonb_object_agg(zeke_jobs.mask_all(e.key, p_secrets), zeke_jobs.mask_texts(e.value, p_secrets)), '{}')
      FROM jsonb_each(p_value) AS e (key, value))
    WHEN 'array' THEN (
      SELECT coalesce(jsonb_agg(zeke_jobs.mask_texts(e.value, p_secrets) ORDER BY e.n), '[]')
      FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n))
    WHEN 'string' THEN to_jsonb(zeke_jobs.mask_all(p_value #>> '{}', p_secrets))
    WHEN 'number' THEN CASE WHEN p_value #>> '{}' = ANY (p_secrets) THEN '"***"' ELSE p_value END
    ELSE p_value
  END;
END
$$;

-- A JSON value with a mask at a path, which leads through lists. If the path ends early, for example at a text, that text is masked.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_at(p_value jsonb, p_path text[], p_inside boolean) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_key text;
BEGIN
  IF p_path = '{}' THEN
    RETURN '"***"';
  END IF;
  CASE jsonb_typeof(p_value)
    WHEN 'object' THEN
      FOREACH v_key IN ARRAY ARRAY[p_path[1], zeke_jobs.camel(p_path[1])] LOOP
        IF p_value ? v_key THEN
          p_value := jsonb_set(p_value, ARRAY[v_key], zeke_jobs.mask_at(p_value -> v_key, p_path[2:], true));
        END IF;
      END LOOP;
      RETURN p_value;
    WHEN 'array' THEN
      RETURN (
        SELECT coalesce(jsonb_agg(zeke_jobs.mask_at(e.value, p_path, p_inside) ORDER BY e.n), '[]')
        FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n));
    WHEN 'null' THEN
      RETURN p_value;
    ELSE
      RETURN CASE WHEN p_inside THEN '"***"' ELSE p_value END;
  END CASE;
END
$$;

-- A JSON value with its sensitive fields masked, and what its texts quote of a payload's. A field is a name or a path (user.email).
CREATE OR REPLACE FUNCTION zeke_jobs.mask(p_value jsonb, p_fields text[], p_payload jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_secrets text[];
  v_one text;
BEGIN
  IF p_value IS NULL OR p_fields IS NULL THEN
    RETURN p_value;
  END IF;
  FOREACH v_one IN ARRAY p_fields LOOP
    p_value := zeke_jobs.mask_at(p_value, string_to_array(v_one, '.'), false);
  END LOOP;
  IF p_payload IS NOT NULL THEN
    v_secrets := zeke_jobs.secrets_in(p_payload, p_fields);
    FOREACH v_one IN ARRAY coalesce(v_secrets, '{}') LOOP
      IF strpos(p_value::text, v_one) > 0 THEN
        RETURN zeke_jobs.mask_texts(p_value, v_secrets);
      END IF;
    END LOOP;
  END IF;
  RETURN p_value;
END
$$;

-- Refuse a job whose batch's id quotes its payload: whoever may read batches sees their ids.
CREATE OR REPLACE FUNCTION zeke_jobs.refuse_telling_batch(p_batch text, p_payload jsonb, p_task text, p_sensitive text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $$
BEGIN
  IF p_sensitive <> '{}' AND zeke_jobs.mask_text(p_batch, p_payload, p_sensitive) <> p_batch THEN
    RAISE EXCEPTION 'expected the id of a batch without the value of a sensitive field of %, got one with it', p_task
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;
