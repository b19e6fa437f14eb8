-- Masks secrets in views: the sensitive fields of payloads and outputs, and their values in other texts of the job. The worker has already masked
-- errors, progress and logs (core/redaction.py). Functions that views call have a fixed search path, because a view calls them with its reader's.

-- The texts and numbers at a path of a JSON value, in lists too. If the path leads to an object or a list, all texts and numbers inside it.
CREATE OR REPLACE FUNCTION zeke_jobs.leaves(p_value jsonb, p_path text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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
END $$;

-- The values of a payload's sensitive fields that are masked wherever a text quotes them: the longest first, each also as JSON spells it; NULL if
-- there are none. Short values and plain words are left out, because they occur inside other words. core/redaction.py has the same rule.
CREATE OR REPLACE FUNCTION zeke_jobs.secrets_in(p_payload jsonb, p_fields text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
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
END $$;

-- The text with *** in place of each of these secrets.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_all(p_text text, p_secrets text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_secret text;
BEGIN
  FOREACH v_secret IN ARRAY coalesce(p_secrets, '{}') LOOP
    p_text := replace(p_text, v_secret, '***');
  END LOOP;
  RETURN p_text;
END $$;

-- A text of a job, with *** in place of each sensitive value of its payload that the text quotes.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_text(p_text text, p_payload jsonb, p_fields text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
  RETURN CASE WHEN p_text IS NULL OR p_fields IS NULL THEN p_text ELSE zeke_jobs.mask_all(p_text, zeke_jobs.secrets_in(p_payload, p_fields)) END;
END $$;

-- The JSON value with *** in place of each of these secrets, in texts, names of fields and numbers.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_texts(p_value jsonb, p_secrets text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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
END $$;

-- The JSON value, masked at a path, in lists too. If the value ends before the path does, for example at a text, that text is masked. p_inside: a
-- part of the path has already been followed.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_at(p_value jsonb, p_path text[], p_inside boolean) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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
END $$;

-- The JSON value with its sensitive fields (names or paths, as user.email) masked; with p_payload, also their values wherever a text quotes them.
CREATE OR REPLACE FUNCTION zeke_jobs.mask(p_value jsonb, p_fields text[], p_payload jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
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
  v_secrets := zeke_jobs.secrets_in(p_payload, p_fields);
  IF EXISTS (SELECT 1 FROM unnest(v_secrets) AS s (secret) WHERE strpos(p_value::text, s.secret) > 0) THEN
    p_value := zeke_jobs.mask_texts(p_value, v_secrets);
  END IF;
  RETURN p_value;
END $$;

-- Refuse a job if the id of its batch quotes a sensitive field of its payload, because all readers of batches see their ids.
CREATE OR REPLACE FUNCTION zeke_jobs.refuse_telling_batch(p_batch text, p_payload jsonb, p_task text, p_sensitive text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
  PERFORM zeke_jobs.refuse(format('expected the id of a batch without the value of a sensitive field of %s, got one with it', p_task))
  WHERE p_sensitive <> '{}' AND zeke_jobs.mask_text(p_batch, p_payload, p_sensitive) <> p_batch;
END $$;
