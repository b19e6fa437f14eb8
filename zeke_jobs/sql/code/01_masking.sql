-- These functions mask secrets in views. A function that views call has a fixed search path, because a reader could set another search path.

-- Return all strings and numbers at or below a path of a JSON value. If there is a list on the path, follow the path in each item of the list.
CREATE OR REPLACE FUNCTION zeke_jobs.leaves(p_value jsonb, p_path text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF jsonb_typeof(p_value) = 'array' OR jsonb_typeof(p_value) = 'object' AND p_path = '{}' THEN
    RETURN (
      SELECT zeke_jobs.join_arrays(zeke_jobs.leaves(e.value, p_path))
      FROM jsonb_path_query(p_value, CASE jsonb_typeof(p_value) WHEN 'array' THEN '$[*]' ELSE '$.*' END::jsonpath) AS e (value));
  END IF;
  RETURN CASE -- a query in place of CASE would take ten times as long
    WHEN jsonb_typeof(p_value) = 'object' THEN zeke_jobs.leaves(p_value -> p_path[1], p_path[2:])
      || CASE WHEN strpos(p_path[1], '_') > 0 THEN zeke_jobs.leaves(p_value -> zeke_jobs.camel(p_path[1]), p_path[2:]) END
    WHEN jsonb_typeof(p_value) IN ('string', 'number') THEN ARRAY[p_value #>> '{}'] END;
END $$;

-- Return the values of a payload's sensitive fields, both plain and with JSON escapes, the longest first. Leave out short values, as core/redaction.py does.
CREATE OR REPLACE FUNCTION zeke_jobs.secrets_in(p_payload jsonb, p_fields text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$ BEGIN RETURN (
  SELECT array_agg(f.text ORDER BY length(f.text) DESC) FROM unnest(p_fields) AS p (field)
  CROSS JOIN LATERAL unnest(zeke_jobs.leaves(p_payload, string_to_array(p.field, '.'))) AS l (text)
  CROSS JOIN LATERAL unnest(ARRAY[l.text, substr(to_jsonb(l.text)::text, 2, length(to_jsonb(l.text)::text) - 2)]) AS f (text)
  WHERE length(f.text) > 15 OR length(f.text) >= 8 AND f.text !~ '^[A-Za-z_./-]*$'); END $$;

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

-- Return a text of a job, with *** in place of each value of the payload's sensitive fields.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_text(p_text text, p_payload jsonb, p_fields text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp SET jit = off AS $$ BEGIN
  RETURN CASE WHEN p_text IS NULL OR p_fields IS NULL THEN p_text ELSE zeke_jobs.mask_all(p_text, zeke_jobs.secrets_in(p_payload, p_fields)) END;
END $$;

-- Return the JSON value with *** in place of each secret in its strings, numbers and keys.
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

-- Return the JSON value with *** at a path, which may lead through lists. If p_inside is true, mask a string, number or boolean even if the path goes on.
CREATE OR REPLACE FUNCTION zeke_jobs.mask_at(p_value jsonb, p_path text[], p_inside boolean) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_key text;
BEGIN
  IF p_path = '{}' OR p_inside AND jsonb_typeof(p_value) NOT IN ('object', 'array', 'null') THEN
    RETURN '"***"';
  ELSIF jsonb_typeof(p_value) = 'array' THEN
    RETURN (
      SELECT coalesce(jsonb_agg(zeke_jobs.mask_at(e.value, p_path, p_inside) ORDER BY e.n), '[]')
      FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n));
  ELSIF jsonb_typeof(p_value) = 'object' THEN
    FOREACH v_key IN ARRAY ARRAY[p_path[1], zeke_jobs.camel(p_path[1])] LOOP
      IF p_value ? v_key THEN
        p_value := jsonb_set(p_value, ARRAY[v_key], zeke_jobs.mask_at(p_value -> v_key, p_path[2:], true));
      END IF;
    END LOOP;
  END IF;
  RETURN p_value;
END $$;

-- Mask the fields p_fields (names or paths such as user.email) in p_value and, if p_payload is given, also the values that secrets_in finds in p_payload.
CREATE OR REPLACE FUNCTION zeke_jobs.mask(p_value jsonb, p_fields text[], p_payload jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_secrets text[];
  v_one text;
BEGIN
  IF p_value IS NULL OR p_fields IS NULL THEN RETURN p_value; END IF;
  FOREACH v_one IN ARRAY p_fields LOOP
    p_value := zeke_jobs.mask_at(p_value, string_to_array(v_one, '.'), false);
  END LOOP;
  v_secrets := CASE WHEN p_payload IS NOT NULL THEN zeke_jobs.secrets_in(p_payload, p_fields) END;
  RETURN CASE WHEN EXISTS (SELECT 1 FROM unnest(v_secrets) AS s (secret) WHERE strpos(p_value::text, s.secret) > 0)
    THEN zeke_jobs.mask_texts(p_value, v_secrets) ELSE p_value END;
END $$;
