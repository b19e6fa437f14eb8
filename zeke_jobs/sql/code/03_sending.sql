-- These functions send jobs. All but zeke_jobs.send return most errors as JSON, because a raised error would abort the caller's transaction.

-- Return why a JSON value is refused: too large or too deep (the bounds are as in core/bounds.py), or with a number too large for Python. Else return NULL.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_json(p_value jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_text text := p_value::text;
  v_size integer := octet_length(v_text);
BEGIN
  IF v_size < 200 THEN
    RETURN NULL; -- a hundred levels take at least two hundred brackets
  ELSIF v_size > 1048576 AND v_size < 2097152 THEN
    -- The exact size of a text of 2 MiB or more does not matter: compact JSON is at most a third shorter than jsonb's text, so it also exceeds 1 MiB.
    v_size := octet_length(regexp_replace(v_text, E'("(?:[^"\\\\]|\\\\.)*")|([,:]) ', E'\\1\\2', 'g'));
  END IF;
  RETURN CASE
    WHEN v_size > 1048576 THEN format('expected at most 1 MiB, got %s bytes', v_size)
    WHEN p_value @? 'strict $.**{100} ? (@.type() == "object" || @.type() == "array")'
      THEN 'expected at most 100 lists and objects inside each other, got more'
    WHEN v_size > 308 AND p_value @? 'strict $.** ? (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308)'
      THEN 'expected numbers of at most 1.7976931348623157e+308, got a larger one'
  END;
END $$;

-- Return the reason why p_payload cannot be the payload of any task, else NULL.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_payload(p_payload jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(p_payload) = 'object' THEN zeke_jobs.unfit_json(p_payload)
    ELSE 'expected a JSON object, got ' || coalesce(jsonb_typeof(p_payload), 'NULL') END $$;

-- Convert an option of zeke_jobs.send to an interval. The option is a number of seconds, or a string such as '5 minutes'.
CREATE OR REPLACE FUNCTION zeke_jobs.length_of(p_option jsonb) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(p_option) = 'number' THEN make_interval(secs => (p_option #>> '{}')::double precision)
    ELSE (p_option #>> '{}')::interval END $$;

-- Convert a valid option such as delay or run_at to a time. A number means seconds from now. A string is a time or, in the option delay, an interval.
CREATE OR REPLACE FUNCTION zeke_jobs.moment(p_options jsonb, p_name text, p_now timestamptz, p_default timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN p_options ->> p_name IS NULL THEN p_default
    WHEN p_name = 'delay' OR jsonb_typeof(p_options -> p_name) = 'number' THEN p_now + zeke_jobs.length_of(p_options -> p_name)
    ELSE (p_options ->> p_name)::timestamptz END $$;

-- Return the error for an option as JSON; zeke_jobs.refused makes "expected priority of -100 to 100, got 101" of it. If p_got is NULL, it quotes what was sent.
CREATE OR REPLACE FUNCTION zeke_jobs.refusal(p_field text, p_accepted text, p_got text DEFAULT NULL, p_choices text[] DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'outcome', 'refused', 'code', CASE WHEN p_accepted LIKE 'as %' AND p_accepted <> 'as a UUID' THEN 'type' ELSE 'value' END,
    'field', p_field, 'accepted', p_accepted, 'got', p_got, 'choices', p_choices)) $$;

-- Return NULL if p_value is a valid time or length of time, else the expected form for an error message, such as "as seconds or an interval".
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_time(p_name text, p_value jsonb) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  v_words text := CASE WHEN p_name IN ('run_at', 'scheduled_for') THEN 'as a time' WHEN p_name = 'expires' THEN 'as a time or in seconds'
    ELSE 'as seconds or an interval' END;
  v_within text := CASE WHEN v_words LIKE 'as a time%' AND jsonb_typeof(p_value) = 'string' THEN 'from 1970-01-01 to 9000-01-01'
    ELSE 'of 0 seconds to 100 years' END;
  v_seconds numeric;
BEGIN
  IF v_within LIKE 'from %' THEN
    RETURN CASE WHEN NOT zeke_jobs.is_readable((p_value #>> '{}')::timestamptz) THEN v_within END;
  ELSIF jsonb_typeof(p_value) NOT IN ('number', 'string') OR v_words = 'as a time' THEN
    RETURN v_words;
  END IF;
  v_seconds := CASE jsonb_typeof(p_value) WHEN 'number' THEN p_value::numeric ELSE extract(epoch FROM (p_value #>> '{}')::interval) END;
  RETURN CASE WHEN v_seconds NOT BETWEEN 0 AND 3155760000 THEN v_within WHEN p_name = 'timeout' AND v_seconds < 0.001 THEN 'of at least 0.001 seconds' END;
EXCEPTION WHEN datetime_field_overflow OR interval_field_overflow THEN RETURN v_within;
WHEN data_exception THEN RETURN v_words;
END $$;

-- Return the error for the first option whose value is not valid, or NULL if all values are valid.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_value(p_options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  c_kinds CONSTANT jsonb := '{"id": "id", "parent": "id", "key": "text", "unique_key": "text", "idempotency_key": "text", "batch": "text",
    "schedule": "text", "priority": "integer", "delay": "time", "keep": "time", "timeout": "time", "retry.delay": "time",
    "retry.max_delay": "time", "unique.period": "time", "unique.at_most": "time", "run_at": "time", "scheduled_for": "time",
    "expires": "time", "retry": "count", "retry.limit": "count", "unique": "unique", "unique.fields": "fields", "unique.while": "while",
    "unique.on_duplicate": "on_duplicate", "traceparent": "trace", "carried": "carried", "units": "object", "then": "object",
    "after_failure": "after_failure"}';
BEGIN
  RETURN (
    SELECT zeke_jobs.refusal(
      CASE WHEN c.accepted LIKE 'with %' THEN split_part(o.name, '.', 1) ELSE o.name END, c.accepted,
      CASE WHEN c.accepted LIKE 'with %' THEN split_part(o.name, '.', 2) WHEN c.accepted = 'of 1 to 1024 bytes' THEN octet_length(o.text)::text END)
    FROM (
      SELECT p.name, p.value, jsonb_typeof(p.value) AS type, p.value #>> '{}' AS text, coalesce(c_kinds ->> p.name, split_part(p.name, '.', 1)) AS kind
      FROM (
        SELECT e.key, e.value FROM jsonb_each(p_options) AS e
        UNION ALL
        SELECT n.name || '.' || e.key, e.value
        FROM unnest(ARRAY['retry', 'unique']) AS n (name), jsonb_each(CASE jsonb_typeof(p_options -> n.name) WHEN 'object' THEN p_options -> n.name END) AS e
      ) AS p (name, value)
    ) AS o
    CROSS JOIN LATERAL (SELECT CASE o.kind
      WHEN 'text' THEN CASE WHEN o.type <> 'string' THEN 'as text' WHEN octet_length(o.text) NOT BETWEEN 1 AND 1024 THEN 'of 1 to 1024 bytes' END
      WHEN 'id' THEN CASE WHEN o.type <> 'string' OR o.text !~* '^[{]?[0-9a-f]{4}(-?[0-9a-f]{4}){7}[}]?$' THEN 'as a UUID' END
      WHEN 'integer' THEN CASE WHEN o.type <> 'number' THEN 'as an integer' WHEN o.value::numeric % 1 <> 0 THEN 'as an integer'
        WHEN o.value NOT BETWEEN '-100' AND '100' THEN 'of -100 to 100' END
      WHEN 'count' THEN CASE WHEN o.name = 'retry' AND o.type = 'object' THEN NULL WHEN o.type <> 'number' OR o.text !~ '^-?[0-9]+$' THEN 'as an integer'
        WHEN o.value < '0' THEN 'of at least 0' WHEN o.value > '1000' THEN 'of at most 1000' END
      WHEN 'time' THEN zeke_jobs.unfit_time(o.name, o.value)
      WHEN 'retry' THEN 'with limit, delay and max_delay'
      WHEN 'unique' THEN CASE WHEN o.name LIKE 'unique.%' THEN 'with fields, while, period, on_duplicate and at_most'
        WHEN o.type NOT IN ('boolean', 'string', 'array', 'object') THEN 'as a field, a list of fields or {"fields", "while", "period"}' END
      WHEN 'fields' THEN CASE WHEN o.type NOT IN ('string', 'array') THEN 'as a field or a list of fields' END
      WHEN 'while' THEN CASE WHEN o.value NOT IN ('"queued"', '"active"', '"period"') THEN 'queued, active or for a period' END
      WHEN 'on_duplicate' THEN CASE WHEN o.value NOT IN ('"ignore"', '"replace"', '"postpone"') THEN 'ignore, replace or postpone' END
      WHEN 'after_failure' THEN CASE WHEN o.value NOT IN ('"send"', '"hold"') THEN 'send or hold' END
      WHEN 'trace' THEN CASE WHEN o.type <> 'string' OR octet_length(o.text) > 256 THEN 'as text of at most 256 bytes' END
      WHEN 'carried' THEN CASE WHEN o.type <> 'object' OR octet_length(o.text) > 16384 THEN 'as an object of at most 16 KiB'
        WHEN o.value ?| ARRAY['retry', 'timeout', 'batch', 'traceparent', 'eta', 'throws', 'producer']
          THEN 'without retry, timeout, batch, traceparent, eta, throws and producer'
        WHEN zeke_jobs.unfit_json(o.value) IS NOT NULL THEN 'as numbers and levels that a worker can read' END
      WHEN 'object' THEN CASE WHEN o.type <> 'object' THEN 'as an object' END
      ELSE 'as an option of send' END AS accepted) AS c
    WHERE c.accepted IS NOT NULL LIMIT 1);
END $$;

-- Check the options of a send to p_task (an id or alias). Return the first error as JSON, or NULL. Python's zeke_jobs.statement calls this function, too.
CREATE OR REPLACE FUNCTION zeke_jobs.refuse_sender(p_task text, p_options jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  v_task zeke_jobs.task := zeke_jobs.find_task(p_task);
  v_refused jsonb := zeke_jobs.unfit_value(p_options);
  v_rule record;
  v_known text[];
  v_wrong text;
BEGIN
  IF v_refused IS NOT NULL OR p_options - '{delay,id,key,parent,priority,traceparent}'::text[] = '{}' THEN
    RETURN v_refused;
  END IF;
  -- Only a login that runs schedules may give scheduled_for, because the scheduler sends no job for a tick for which another sender has sent one.
  PERFORM zeke_jobs.refuse(
    format('expected no option scheduled_for from %s: only a role that runs schedules sends the job of a tick', session_user), 'insufficient_privilege')
  WHERE p_options ? 'scheduled_for'
    AND NOT has_function_privilege(session_user, 'zeke_jobs.record_tick(text, timestamptz, text, text, text, uuid)', 'EXECUTE');
  IF p_options -> 'carried' ? 'failure_of' THEN
    RETURN zeke_jobs.refusal('carried', 'without failure_of', 'it');
  ELSIF p_options ?& ARRAY['delay', 'run_at'] THEN
    RETURN zeke_jobs.refusal('delay or run_at', '', 'both');
  ELSIF p_options ?| ARRAY['then', 'after_failure'] AND NOT p_options ? 'batch' THEN
    RETURN zeke_jobs.refusal('then and after_failure', 'with a batch', 'none');
  ELSIF p_options ? 'unique' THEN
    IF p_options ? 'unique_key' AND p_options -> 'unique' <> 'false' AND (jsonb_typeof(p_options -> 'unique') <> 'object' OR p_options -> 'unique' ? 'fields') THEN
      RETURN zeke_jobs.refusal('unique_key or the fields of unique', '', 'both; unique may say while, period and on_duplicate');
    END IF;
    v_rule := zeke_jobs.unique_rule(v_task, '{}', p_options);
    v_known := ARRAY(SELECT jsonb_object_keys(zeke_jobs.shape(v_task.payload_schema, v_task.payload_schema) -> 'properties'));
    v_wrong := (SELECT f.name FROM unnest(v_rule.fields) AS f (name) WHERE f.name <> ALL (v_known) LIMIT 1);
    IF v_wrong IS NOT NULL AND v_task.payload_schema IS NOT NULL THEN
      RETURN zeke_jobs.refusal('unique', format('by fields of %s''s payload', v_task.id), v_wrong, v_known);
    ELSIF v_rule.held_while = 'period' AND v_rule.period IS NULL THEN
      RETURN zeke_jobs.refusal('unique', 'with a period', 'none');
    ELSIF v_rule.on_duplicate <> 'ignore' AND v_rule.held_while <> 'queued' THEN
      RETURN zeke_jobs.refusal('on_duplicate ' || v_rule.on_duplicate, 'while queued',
        format('while %s: a job that runs or has run keeps its payload', v_rule.held_while));
    END IF;
  END IF;
  IF coalesce(p_options #>> '{retry,limit}', CASE jsonb_typeof(p_options -> 'retry') WHEN 'number' THEN p_options ->> 'retry' END)::integer
      > (v_task.definition #>> '{per_send,retry}')::integer
    OR zeke_jobs.length_of(p_options -> 'timeout') > (v_task.definition #>> '{per_send,timeout}')::interval
    OR zeke_jobs.length_of(p_options -> 'keep') > (v_task.definition #>> '{per_send,keep}')::interval
  THEN
    RETURN zeke_jobs.refusal('retry, timeout and keep', format('within what per_send of %s in jobs.yaml allows', v_task.id), 'more');
  END IF;
  RETURN (
    SELECT r.refusal FROM jsonb_each(p_options -> 'units') AS u LEFT JOIN (
      SELECT b.unit, min(b.amount) AS most FROM zeke_jobs.bucket AS b WHERE b.name = ANY (v_task.limits) AND b.unit <> 'jobs' GROUP BY b.unit
    ) AS m ON m.unit = u.key
    CROSS JOIN LATERAL (SELECT CASE
      WHEN jsonb_typeof(u.value) <> 'number' THEN zeke_jobs.refusal('units', 'as numbers by unit', u.key || '=' || u.value)
      WHEN u.value < '0' THEN zeke_jobs.refusal('units', 'of at least 0', u.key || '=' || u.value)
      WHEN m.unit IS NULL THEN zeke_jobs.refusal('', format('a unit that a limit of %s counts', v_task.id), u.key)
      WHEN u.value::numeric > m.most
        THEN zeke_jobs.refusal('', format('at most the %s %s that a limit of %s allows', m.most, u.key, v_task.id), u.value::text) END
    ) AS r (refusal)
    WHERE r.refusal IS NOT NULL LIMIT 1);
END $$;

-- Turn an error of zeke_jobs.refusal into a sentence.
CREATE OR REPLACE FUNCTION zeke_jobs.refused(p_refusal jsonb, p_options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
  SELECT 'expected ' || concat_ws(' ', nullif(p_refusal ->> 'field', ''), nullif(p_refusal ->> 'accepted', ''))
    || ', got ' || coalesce(p_refusal ->> 'got', p_options #>> string_to_array(p_refusal ->> 'field', '.'), 'NULL') $$;

-- Return the rule that makes a send unique, from the options or the task; key is NULL if the send is not unique. held_while says how long a job holds the key:
-- while it is queued (queued), until it ends (active), or for a period after its send (period). on_duplicate says whether a second send has no effect (ignore),
-- changes the queued job (replace), or changes and delays that job (postpone). at_most is the longest delay, counted from the first send.
CREATE OR REPLACE FUNCTION zeke_jobs.unique_rule(p_task zeke_jobs.task, p_payload jsonb, p_options jsonb,
  OUT key text, OUT fields text[], OUT held_while text, OUT period interval, OUT on_duplicate text, OUT at_most interval)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_option jsonb := p_options -> 'unique';
  v_rule jsonb := CASE WHEN jsonb_typeof(v_option) = 'object' THEN v_option ELSE '{}' END;
  v_named jsonb := CASE jsonb_typeof(v_option) WHEN 'object' THEN v_option -> 'fields' WHEN 'boolean' THEN NULL ELSE v_option END;
BEGIN
  IF v_named IS NULL THEN
    fields := CASE WHEN v_option IS NULL THEN p_task.unique_fields WHEN v_option <> 'false' THEN coalesce(p_task.unique_fields, '{}') END;
  ELSE
    fields := ARRAY(
      SELECT coalesce(
        (SELECT p.name FROM jsonb_object_keys(zeke_jobs.shape(p_task.payload_schema, p_task.payload_schema) -> 'properties') AS p (name)
         WHERE f.name IN (p.name, zeke_jobs.camel(p.name)) LIMIT 1), f.name)
      FROM jsonb_array_elements_text(CASE jsonb_typeof(v_named) WHEN 'array' THEN v_named ELSE jsonb_build_array(v_named) END) AS f (name));
  END IF;
  held_while := coalesce(v_rule ->> 'while', CASE WHEN v_rule ? 'period' THEN 'period' END,
    CASE WHEN p_options ? 'unique_key' AND v_option IS NULL THEN 'active' END, p_task.unique_while, 'queued');
  period := coalesce(zeke_jobs.length_of(v_rule -> 'period'), p_task.unique_period);
  on_duplicate := coalesce(v_rule ->> 'on_duplicate', p_task.definition #>> '{unique,on_duplicate}', 'ignore');
  at_most := coalesce(zeke_jobs.length_of(v_rule -> 'at_most'), (p_task.definition #>> '{unique,at_most}')::interval);
  -- The prefix ' =' distinguishes a key that the caller gave from a key made of fields.
  key := CASE WHEN p_options ? 'unique_key' THEN p_task.id || ' =' || (p_options ->> 'unique_key')
    WHEN fields IS NOT NULL THEN zeke_jobs.unique_key(p_task, fields, p_payload) END;
END $$;

-- Return a unique key made of the task and the values of p_fields (of the whole payload if p_fields is empty). For a missing field, use the field's default.
CREATE OR REPLACE FUNCTION zeke_jobs.unique_key(p_task zeke_jobs.task, p_fields text[], p_payload jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (p_task).id || ' ' || left(encode(sha256(convert_to(coalesce(
    (SELECT jsonb_object_agg(f, coalesce(p_payload -> f, (p_task).payload_schema #> ARRAY['properties', f, 'default']))
     FROM unnest(p_fields) AS f),
    p_payload)::text, 'UTF8')), 'hex'), 32) $$;

-- Return the options of a job's Dramatiq message: the sender's middleware options (key "carried"), trace context, batch, retries, and timeout in seconds.
CREATE OR REPLACE FUNCTION zeke_jobs.message_options(p_options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  v_options jsonb := jsonb_build_object('traceparent', p_options -> 'traceparent', 'batch', p_options -> 'batch');
BEGIN
  IF p_options ?| ARRAY['retry', 'timeout'] THEN
    v_options := v_options || jsonb_build_object('timeout', extract(epoch FROM zeke_jobs.length_of(p_options -> 'timeout')),
      'retry', nullif(jsonb_strip_nulls(jsonb_build_object(
        'limit', CASE jsonb_typeof(p_options -> 'retry') WHEN 'number' THEN p_options -> 'retry' ELSE p_options #> '{retry,limit}' END,
        'delay', extract(epoch FROM zeke_jobs.length_of(p_options #> '{retry,delay}')),
        'max_delay', extract(epoch FROM zeke_jobs.length_of(p_options #> '{retry,max_delay}')))), '{}'));
  END IF;
  RETURN coalesce(p_options -> 'carried', '{}') || jsonb_strip_nulls(v_options);
END $$;

-- Return the Dramatiq message of a job. The body calls no volatile function, so the planner inlines this function.
CREATE OR REPLACE FUNCTION zeke_jobs.message(p_queue text, p_task text, p_id uuid, p_payload jsonb, p_options jsonb,
  p_now timestamptz) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT jsonb_build_object(
    'queue_name', p_queue, 'actor_name', p_task, 'args', '[]'::jsonb, 'kwargs', p_payload,
    'options', CASE WHEN p_options ?| ARRAY['traceparent', 'retry', 'timeout', 'batch', 'carried']
      THEN zeke_jobs.message_options(p_options) ELSE '{}' END,
    'message_id', p_id, 'message_timestamp', floor(extract(epoch FROM p_now) * 1000)::bigint) $$;

-- Return why a worker could not read a Dramatiq message that another program wrote, or NULL if a worker can read it.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_message(p_message jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_options jsonb := jsonb_strip_nulls(jsonb_build_object('traceparent', p_message #> '{options,traceparent}',
    'retry', p_message #> '{options,retry}', 'timeout', p_message #> '{options,timeout}'));
BEGIN
  RETURN coalesce(
    (SELECT format('expected %s as %s, got %s', f.name, f.type, coalesce(jsonb_typeof(f.value), 'none'))
     FROM (VALUES
       ('a message', 'object', p_message, false), ('actor_name of a message', 'string', p_message -> 'actor_name', false),
       ('args of a message', 'array', p_message -> 'args', true), ('kwargs of a message', 'object', p_message -> 'kwargs', true),
       ('options of a message', 'object', p_message -> 'options', true),
       ('message_timestamp of a message', 'number', p_message -> 'message_timestamp', true),
       ('eta of a message', 'number', p_message #> '{options,eta}', true)) AS f (name, type, value, may_be_absent)
     WHERE coalesce(jsonb_typeof(f.value), 'null') <> f.type AND NOT (f.may_be_absent AND coalesce(f.value, 'null') = 'null')
     LIMIT 1),
    zeke_jobs.refused(zeke_jobs.unfit_value(v_options), v_options), zeke_jobs.unfit_json(CASE jsonb_typeof(p_message) WHEN 'object' THEN p_message - 'kwargs' END),
    zeke_jobs.unfit_payload(coalesce(nullif(p_message -> 'kwargs', 'null'), '{}')));
END $$;

-- Fill in the columns of a row that an unmodified dramatiq-pg producer has written, and refuse a message that no worker could read.
CREATE OR REPLACE FUNCTION zeke_jobs.adopt() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  v_task zeke_jobs.task;
BEGIN
  IF NEW.message IS NULL THEN RETURN NEW; END IF;
  PERFORM zeke_jobs.refuse(zeke_jobs.unfit_message(NEW.message));
  NEW.queue_name := regexp_replace(NEW.queue_name, '[.]DQ$', '');
  v_task := zeke_jobs.find_task(NEW.message ->> 'actor_name');
  IF v_task.id IS NOT NULL THEN
    NEW.queue_name := v_task.queue;
    NEW.priority := v_task.priority;
    NEW.sensitive := nullif(NEW.sensitive || v_task.sensitive, '{}');
    NEW.key := coalesce(NEW.key, zeke_jobs.own_key(v_task.per_key, v_task.share, NEW.message_id::text));
    NEW.order_hold := v_task.order_hold;
  END IF;
  IF jsonb_typeof(NEW.message #> '{options,eta}') = 'number' THEN
    NEW.run_at := to_timestamp((NEW.message #>> '{options,eta}')::numeric / 1000.0);
    PERFORM zeke_jobs.refuse(format('expected eta of a message from 1970-01-01 to 9000-01-01, got %s', NEW.message #> '{options,eta}'), 'datetime_field_overflow')
    WHERE NOT zeke_jobs.is_readable(NEW.run_at);
  END IF;
  NEW.message := NEW.message || jsonb_build_object(
    'queue_name', NEW.queue_name, 'actor_name', coalesce(v_task.id, NEW.message ->> 'actor_name'),
    'options', coalesce(nullif(NEW.message -> 'options', 'null'), '{}') - 'eta');
  NEW.task := NEW.message ->> 'actor_name';
  NEW.extra := coalesce(NEW.extra, '{}') || '{"producer": "dramatiq-pg"}'; -- the producer may wait for the result, so the end of the job is announced
  NEW.revision := coalesce(v_task.revision, 0);
  NEW.mtime := clock_timestamp();
  PERFORM zeke_jobs.notify_idle(NEW.queue_name);
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER queue_adopt_insert BEFORE INSERT ON zeke_jobs.queue
  FOR EACH ROW WHEN (NEW.revision IS NULL) EXECUTE FUNCTION zeke_jobs.adopt();

-- An upsert by a dramatiq-pg producer does not change mtime, but an update by zeke_jobs does, so the trigger fires only for the upsert.
CREATE OR REPLACE TRIGGER queue_adopt_update BEFORE UPDATE OF message ON zeke_jobs.queue
  FOR EACH ROW WHEN (NEW.mtime = OLD.mtime AND NEW.state = 'queued') EXECUTE FUNCTION zeke_jobs.adopt();

-- Give a queued job the payload and the options of a later send, and delete the job's stored steps and event waits. Return false if it is no longer queued.
CREATE OR REPLACE FUNCTION zeke_jobs.take_place(p_job uuid, p_task zeke_jobs.task, p_payload jsonb, p_options jsonb,
  p_how text, p_at_most interval) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_run_at timestamptz := zeke_jobs.moment(p_options, 'run_at', v_now, zeke_jobs.moment(p_options, 'delay', v_now, v_now));
  v_queue text;
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET message = zeke_jobs.message(p_task.queue, p_task.id, q.message_id, p_payload,
      (p_options - 'batch') || jsonb_strip_nulls(jsonb_build_object('batch', q.extra -> 'batch')), v_now),
    run_at = greatest(
      CASE WHEN q.attempt > 0 THEN q.run_at ELSE '-infinity' END,
      least(CASE p_how WHEN 'postpone' THEN greatest(q.run_at, v_run_at) ELSE v_run_at END, q.created_on + p_at_most)),
    priority = coalesce((p_options -> 'priority')::integer, q.priority),
    expires_on = zeke_jobs.moment(p_options, 'expires', v_now, q.expires_on),
    extra = nullif(coalesce(q.extra, '{}') || jsonb_strip_nulls(jsonb_build_object(
      'keep', zeke_jobs.length_of(p_options -> 'keep'), 'units', p_options -> 'units')), '{}'),
    sensitive = nullif(p_task.sensitive, '{}'), mtime = clock_timestamp()
  WHERE q.message_id = p_job AND q.state = 'queued' RETURNING q.queue_name INTO v_queue;
  IF v_queue IS NULL THEN RETURN false; END IF;
  DELETE FROM zeke_jobs.step AS s WHERE s.job = p_job;
  DELETE FROM zeke_jobs.wait AS w WHERE w.job = p_job;
  -- Claims skip the job until this transaction commits, because its row is locked. At the commit, this notification wakes an idle process.
  PERFORM zeke_jobs.notify_idle(v_queue);
  RETURN true;
END $$;

-- If a unique key is free, return p_job and, if p_takes is true, reserve the key. Else return the job that holds it. A job holds a key as long as p_while says
-- (see unique_rule) or, if p_while is NULL, as long as its row exists. If p_while is 'active', the key of p_parent (the active job that sends p_job) is free.
CREATE OR REPLACE FUNCTION zeke_jobs.take_key(p_key text, p_job uuid, p_takes boolean, p_while text DEFAULT NULL,
  p_period interval DEFAULT NULL, p_parent uuid DEFAULT NULL) RETURNS uuid LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_holder uuid;
BEGIN
  LOOP
    -- If another sender is inserting the key, this INSERT waits for that sender, and the next statement sees the sender's job.
    INSERT INTO zeke_jobs.unique_holder (unique_key, job) SELECT p_key, p_job WHERE p_takes ON CONFLICT DO NOTHING;
    IF FOUND THEN RETURN p_job; END IF;
    SELECT u.job INTO v_holder FROM zeke_jobs.unique_holder AS u WHERE u.unique_key = p_key;
    IF EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = v_holder AND CASE p_while
        WHEN 'queued' THEN q.state = 'queued'
        WHEN 'active' THEN q.state = 'queued' OR q.state = 'consumed' AND q.message_id IS DISTINCT FROM p_parent
        WHEN 'period' THEN q.created_on + p_period > zeke_jobs.now()
        ELSE true END)
    THEN
      RETURN v_holder;
    END IF;
    UPDATE zeke_jobs.unique_holder AS u SET job = p_job WHERE p_takes AND u.unique_key = p_key AND u.job = v_holder;
    IF FOUND OR NOT p_takes THEN RETURN p_job; END IF;
  END LOOP;
END $$;

-- Return the result of a send that has found an existing job. outcome is 'taken' if the job belongs to another task, else 'duplicate'.
CREATE OR REPLACE FUNCTION zeke_jobs.found(p_job uuid, p_task text, OUT outcome text, OUT job_id uuid, OUT status zeke_jobs.job_status)
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN q.task = p_task THEN 'duplicate' ELSE 'taken' END, q.message_id, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)
  FROM zeke_jobs.queue AS q WHERE q.message_id = p_job $$;

-- Insert jobs of one task, except jobs whose id exists already. If p_only is given, insert only the jobs with ids in p_only. Return the ids of the new rows.
CREATE OR REPLACE FUNCTION zeke_jobs.insert_jobs(p_task zeke_jobs.task, p_ids uuid[], p_keys text[], p_payloads jsonb,
  p_uniques text[], p_options jsonb, p_only uuid[] DEFAULT NULL) RETURNS uuid[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_run_at timestamptz := zeke_jobs.moment(p_options, 'run_at', v_now, zeke_jobs.moment(p_options, 'delay', v_now, v_now));
  v_made uuid[];
BEGIN
  WITH made AS (
    INSERT INTO zeke_jobs.queue AS q (
      message_id, queue_name, message, task, priority, run_at, expires_on, key, created_on, parent, scheduled_for, revision, sensitive, order_hold, extra)
    SELECT j.id, p_task.queue, zeke_jobs.message(p_task.queue, p_task.id, j.id, j.payload, p_options, v_now), p_task.id,
      coalesce((p_options -> 'priority')::integer, p_task.priority), v_run_at, zeke_jobs.moment(p_options, 'expires', v_now, NULL),
      coalesce(j.key, p_options ->> 'key', zeke_jobs.own_key(p_task.per_key, p_task.share, j.id::text)),
      v_now, (p_options ->> 'parent')::uuid, (p_options ->> 'scheduled_for')::timestamptz,
      p_task.revision, nullif(p_task.sensitive, '{}'), p_task.order_hold,
      nullif(jsonb_strip_nulls(jsonb_build_object(
        'batch', p_options -> 'batch', 'keep', zeke_jobs.length_of(p_options -> 'keep'), 'units', p_options -> 'units',
        'idempotency_key', p_options -> 'idempotency_key', 'schedule', p_options -> 'schedule', 'unique_key', j.unique_key)), '{}')
    FROM ROWS FROM (unnest(p_ids), unnest(p_keys), jsonb_array_elements(p_payloads), unnest(p_uniques)) AS j (id, key, payload, unique_key)
    WHERE p_only IS NULL OR j.id = ANY (p_only) ON CONFLICT DO NOTHING RETURNING q.message_id
  )
  SELECT coalesce(array_agg(m.message_id), '{}') INTO v_made FROM made AS m;
  IF p_options ? 'batch' THEN PERFORM zeke_jobs.count_in_batches(v_made, 1); END IF;
  IF v_made <> '{}' AND zeke_jobs.is_soon(v_run_at, v_now) THEN
    PERFORM zeke_jobs.notify_idle(p_task.queue, p_task.id);
  END IF;
  RETURN v_made;
END $$;

-- Send one job whose options were checked, or find the job that the send duplicates. outcome is created, duplicate, replaced (a queued job got the payload),
-- full (max_queued is reached), closed (the batch is closed), taken (another task's job has the id), unknown (no such task) or stale (not the task's revision).
CREATE OR REPLACE FUNCTION zeke_jobs.put(p_task text, p_revision integer, p_payload jsonb, p_options jsonb,
  p_is_promised boolean DEFAULT false, OUT outcome text, OUT job_id uuid, OUT status zeke_jobs.job_status)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  v_task zeke_jobs.task := zeke_jobs.find_task(p_task);
  v_id uuid := coalesce((p_options ->> 'id')::uuid, zeke_jobs.new_id());
  v_unfit text := zeke_jobs.unfit_payload(p_payload);
  v_full boolean;
  v_holder uuid := v_id;
  v_once text := v_task.id || ' !' || (p_options ->> 'idempotency_key');
  v_unique record;
BEGIN
  IF v_task.id IS NULL OR p_revision <> v_task.revision THEN
    outcome := CASE WHEN v_task.id IS NULL THEN 'unknown' ELSE 'stale' END;
    RETURN;
  ELSIF v_unfit IS NOT NULL THEN
    PERFORM zeke_jobs.refuse('payload of ' || v_task.id || ': ' || v_unfit);
  END IF;
  -- If a sender repeats a send because the result was lost, the job of the first send has the same id. Find it before this send reserves keys.
  SELECT f.* INTO outcome, job_id, status FROM zeke_jobs.found(v_id, v_task.id) AS f;
  IF job_id IS NOT NULL THEN RETURN; END IF;
  -- Each concurrent sender may exceed max_queued by one job, because this count takes no lock.
  v_full := v_task.max_queued IS NOT NULL AND NOT p_is_promised
    AND zeke_jobs.depth(v_task.queue, v_task.id, v_task.max_queued) >= v_task.max_queued;
  IF p_options ? 'batch' AND NOT v_full AND NOT zeke_jobs.enter_batch(p_options, v_task, jsonb_build_array(p_payload)) THEN
    outcome := 'closed';
    RETURN;
  END IF;
  IF v_once IS NOT NULL THEN v_holder := zeke_jobs.take_key(v_once, v_id, NOT v_full); END IF;
  IF p_options ? 'scheduled_for' AND v_holder = v_id THEN
    v_holder := zeke_jobs.take_key(
      format('%s @%s %s', v_task.id, extract(epoch FROM (p_options ->> 'scheduled_for')::timestamptz), p_options ->> 'schedule'), v_id, NOT v_full);
  END IF;
  v_unique := zeke_jobs.unique_rule(v_task, p_payload, p_options);
  WHILE v_holder = v_id AND v_unique.key IS NOT NULL LOOP
    v_holder := zeke_jobs.take_key(v_unique.key, v_id, NOT v_full, v_unique.held_while, v_unique.period, (p_options ->> 'parent')::uuid);
    EXIT WHEN v_holder = v_id OR v_unique.on_duplicate = 'ignore';
    IF zeke_jobs.take_place(v_holder, v_task, p_payload, p_options, v_unique.on_duplicate, v_unique.at_most) THEN
      SELECT 'replaced', f.job_id, f.status INTO outcome, job_id, status FROM zeke_jobs.found(v_holder, v_task.id) AS f;
      RETURN;
    END IF;
    v_holder := v_id; -- a worker has claimed the holder meanwhile, so the key is free
  END LOOP;
  IF v_holder = v_id THEN
    IF v_full THEN
      outcome := 'full';
      RETURN;
    ELSIF zeke_jobs.insert_jobs(v_task, ARRAY[v_id], NULL, jsonb_build_array(p_payload), ARRAY[v_unique.key], p_options) <> '{}' THEN
      SELECT 'created', v_id, 'created' INTO outcome, job_id, status;
      RETURN;
    END IF;
  ELSIF v_once IS NOT NULL THEN
    DELETE FROM zeke_jobs.unique_holder AS u WHERE u.unique_key = v_once AND u.job = v_id;
  END IF;
  SELECT f.* INTO outcome, job_id, status FROM zeke_jobs.found(v_holder, v_task.id) AS f;
END $$;

-- Send a job. Return NULL if the job was created, else an error or the result of zeke_jobs.put, as JSON. p_revision is the task's revision against which Python
-- checked the payload; NULL allows any revision. All arguments have the type text, because each cast in a statement costs some microseconds.
CREATE OR REPLACE FUNCTION zeke_jobs.enqueue(p_task text, p_revision text, p_payload text, p_options text, p_id text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_options jsonb;
  v_refused jsonb;
  v_now timestamptz := zeke_jobs.now();
  v_waits text; -- the queue, if an idle process waits for jobs of the queue
BEGIN
  IF p_options <> '{}' THEN v_options := p_options; END IF;
  -- Most sends need only this INSERT. A payload of less than 200 bytes needs no check by zeke_jobs.unfit_json.
  IF p_payload LIKE '{%' AND (octet_length(p_payload::jsonb::text) < 200 OR zeke_jobs.unfit_json(p_payload::jsonb) IS NULL)
    -- This condition allows only the six options named in it, with valid values. Types are checked first: comparing different types returns unknown.
    AND (v_options @? '$.keyvalue() ? (!(
      @.value.type() == "string" && (@.key == "parent" && @.value like_regex "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
        || @.key == "key" && @.value like_regex "^.{1,255}$" flag "s" || @.key == "traceparent" && @.value like_regex "^.{0,64}$" || @.key == "batch")
      || @.value.type() == "number" && (@.key == "priority" && @.value.floor() == @.value && @.value.abs() <= 100
        || @.key == "delay" && @.value >= 0 && @.value <= 3155760000)))') IS NOT TRUE
    AND ((v_options ? 'batch') IS NOT TRUE OR zeke_jobs.takes_jobs(v_options ->> 'batch', (v_options ->> 'parent')::uuid))
  THEN
    INSERT INTO zeke_jobs.queue AS q (
      message_id, queue_name, message, task, priority, run_at, key, created_on, parent, revision, sensitive, order_hold, extra)
    SELECT p_id::uuid, t.queue, zeke_jobs.message(t.queue, t.id, p_id::uuid, p_payload::jsonb, v_options, v_now), t.id,
      coalesce((v_options -> 'priority')::integer, t.priority),
      coalesce(v_now + make_interval(secs => (v_options -> 'delay')::double precision), v_now),
      coalesce(v_options ->> 'key', zeke_jobs.own_key(t.per_key, t.share, p_id)),
      v_now, (v_options ->> 'parent')::uuid, t.revision, nullif(t.sensitive, '{}'), t.order_hold,
      CASE WHEN v_options ? 'batch' THEN jsonb_build_object('batch', v_options -> 'batch') END
    FROM zeke_jobs.task AS t
    WHERE t.id = p_task AND t.revision = coalesce(p_revision::integer, t.revision) AND t.max_queued IS NULL AND t.unique_fields IS NULL
      AND (t.sensitive = '{}' OR (v_options ? 'batch') IS NOT TRUE)
    ON CONFLICT DO NOTHING
    -- zeke_jobs.notify_idle is called only if a process is idle, because the call makes a send a quarter slower.
    RETURNING coalesce((
      SELECT q.queue_name FROM zeke_jobs.worker AS w WHERE q.queue_name = ANY (w.idle) AND zeke_jobs.is_soon(q.run_at, v_now) LIMIT 1), '') INTO v_waits;
    IF v_waits IS NOT NULL THEN
      IF v_options ? 'batch' THEN PERFORM zeke_jobs.count_in_batches(ARRAY[p_id::uuid], 1); END IF;
      IF v_waits <> '' THEN PERFORM zeke_jobs.notify_idle(v_waits, p_task); END IF;
      RETURN NULL;
    END IF;
  ELSE
    v_refused := zeke_jobs.refuse_sender(p_task, coalesce(v_options, '{}'));
  END IF;
  RETURN coalesce(v_refused, (
    SELECT CASE WHEN p.outcome <> 'created' THEN to_jsonb(p) END
    FROM zeke_jobs.put(p_task, p_revision::integer, p_payload::jsonb, coalesce(v_options, '{}') || jsonb_build_object('id', p_id)) AS p));
END $$;

-- Send many jobs of one task, or none if one is refused. Return NULL if all were created, or an error. If other jobs hold some of the unique keys, send the
-- jobs with these keys one by one, in the order of the keys, and return the result and index (n) of each.
CREATE OR REPLACE FUNCTION zeke_jobs.enqueue_many(p_task text, p_revision integer, p_payloads jsonb, p_ids uuid[], p_keys text[], p_options jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET enable_seqscan = off AS $$
DECLARE
  v_task zeke_jobs.task := zeke_jobs.find_task(p_task);
  v_refused jsonb := CASE
    WHEN v_task.id IS NULL THEN '{"outcome": "unknown"}'
    WHEN p_revision <> v_task.revision THEN '{"outcome": "stale"}'
    ELSE coalesce(zeke_jobs.refuse_sender(p_task, p_options), (
      SELECT zeke_jobs.refusal(format('keys[%s]', k.n - 1), 'of 1 to 1024 bytes', octet_length(k.key)::text)
      FROM unnest(p_keys) WITH ORDINALITY AS k (key, n) WHERE octet_length(k.key) NOT BETWEEN 1 AND 1024 LIMIT 1)) END;
  v_new bigint;
  v_fields text[];
  v_uniques text[];
  v_taken uuid[];
  v_made uuid[];
BEGIN
  IF v_refused IS NOT NULL THEN RETURN v_refused; END IF;
  PERFORM zeke_jobs.refuse(format('payloads[%s] of %s: %s', p.n - 1, v_task.id, u.unfit))
  FROM jsonb_array_elements(p_payloads) WITH ORDINALITY AS p (payload, n)
  CROSS JOIN LATERAL (SELECT zeke_jobs.unfit_payload(p.payload) AS unfit OFFSET 0) AS u WHERE u.unfit IS NOT NULL;
  IF v_task.max_queued IS NOT NULL OR p_options ? 'batch' THEN
    -- If a sender repeats a send, the jobs that the first try inserted are not new.
    v_new := (SELECT count(*) FROM unnest(p_ids) AS i (id) WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = i.id));
    IF v_task.max_queued IS NOT NULL AND v_task.max_queued - zeke_jobs.depth(v_task.queue, v_task.id, v_task.max_queued) < v_new THEN
      RETURN '{"outcome": "full"}';
    END IF;
    IF p_options ? 'batch' AND NOT zeke_jobs.enter_batch(p_options, v_task, p_payloads) AND v_new > 0 THEN
      RETURN '{"outcome": "closed"}';
    END IF;
  END IF;
  SELECT r.fields INTO v_fields FROM zeke_jobs.unique_rule(v_task, '{}', p_options) AS r;
  IF v_fields IS NOT NULL THEN
    v_uniques := ARRAY(
      SELECT zeke_jobs.unique_key(v_task, v_fields, p.payload)
      FROM jsonb_array_elements(p_payloads) WITH ORDINALITY AS p (payload, n) ORDER BY p.n);
    -- The keys are inserted in sorted order, so that two senders cannot deadlock.
    WITH taken AS (
      INSERT INTO zeke_jobs.unique_holder AS u (unique_key, job)
      SELECT DISTINCT ON (j.unique_key) j.unique_key, j.id
      FROM ROWS FROM (unnest(p_ids), unnest(v_uniques)) WITH ORDINALITY AS j (id, unique_key, n)
      WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = j.id) ORDER BY j.unique_key, j.n
      ON CONFLICT DO NOTHING RETURNING u.job
    )
    SELECT coalesce(array_agg(t.job), '{}') INTO v_taken FROM taken AS t;
  END IF;
  v_made := zeke_jobs.insert_jobs(v_task, p_ids, p_keys, p_payloads, v_uniques, p_options, v_taken);
  IF cardinality(v_made) = cardinality(p_ids) THEN RETURN NULL; END IF;
  RETURN (
    SELECT jsonb_agg(to_jsonb(e) || jsonb_build_object('n', j.n - 1)) FROM (
      SELECT i.id, i.key, i.payload, i.n
      FROM ROWS FROM (unnest(p_ids), unnest(p_keys), jsonb_array_elements(p_payloads), unnest(v_uniques))
        WITH ORDINALITY AS i (id, key, payload, unique_key, n)
      WHERE i.id <> ALL (v_made) AND NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = i.id)
      ORDER BY i.unique_key, i.n OFFSET 0) AS j
    CROSS JOIN LATERAL zeke_jobs.put(
      v_task.id, NULL, j.payload,
      (p_options - 'then') || jsonb_strip_nulls(jsonb_build_object('id', j.id, 'key', coalesce(j.key, p_options ->> 'key')))) AS e);
END $$;

-- Return the payload with its keys in snake_case. An unknown or missing field is an error. Only Python's send and the worker check the fields' types.
CREATE OR REPLACE FUNCTION zeke_jobs.accepted(p_task zeke_jobs.task, p_payload jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_shape jsonb := zeke_jobs.shape(p_task.payload_schema, p_task.payload_schema);
  v_fields text[] := ARRAY(SELECT jsonb_object_keys(coalesce(v_shape -> 'properties', '{}')));
  v_payload jsonb;
  v_unfit text := zeke_jobs.unfit_payload(p_payload); -- this check comes before rename_keys, which recurses as deep as the payload is nested
BEGIN
  IF v_unfit IS NULL THEN
    v_payload := zeke_jobs.rename_keys(p_payload, p_task.payload_schema, p_task.payload_schema, false);
    v_unfit := coalesce(
      (SELECT format('expected field %s, got none', r.name)
       FROM jsonb_array_elements_text(p_task.payload_schema -> 'required') AS r (name) WHERE NOT v_payload ? r.name LIMIT 1),
      (SELECT format('expected fields of the task (%s), got %s', array_to_string(v_fields, ', '), k.name)
       FROM jsonb_object_keys(v_payload) AS k (name)
       WHERE p_task.payload_schema IS NOT NULL AND coalesce(v_shape -> 'additionalProperties', 'false') = 'false' AND k.name <> ALL (v_fields) LIMIT 1));
  END IF;
  PERFORM zeke_jobs.refuse('payload of ' || p_task.id || ': ' || v_unfit);
  RETURN v_payload;
END $$;

-- Send a job in the caller's transaction. Return the id of the new job, or of the existing job with the same idempotency key, id or unique key.
--   SELECT zeke_jobs.send('ingest-oneoff', '{"url": "https://example.org/post"}', '{"delay": 60, "priority": 5}');
CREATE OR REPLACE FUNCTION zeke_jobs.send(task text, payload jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET jit = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
  c_options CONSTANT text[] := ARRAY[
    'batch', 'delay', 'expires', 'id', 'idempotency_key', 'keep', 'key', 'parent', 'priority', 'retry', 'run_at', 'scheduled_for',
    'timeout', 'traceparent', 'unique', 'unique_key', 'units'];
  v_task zeke_jobs.task := zeke_jobs.find_task(send.task);
  v_options jsonb := jsonb_strip_nulls(send.options);
  v_id text;
  v_answer jsonb;
BEGIN
  IF v_task.id IS NULL THEN
    RAISE EXCEPTION 'expected the name of a task, got %', coalesce(quote_literal(send.task), 'NULL')
      USING ERRCODE = 'undefined_object',
        HINT = coalesce(
          'Tasks: ' || (SELECT string_agg(t.id, ', ' ORDER BY t.id) FROM zeke_jobs.task AS t),
          'The catalogue is empty; the first worker that starts, or zeke-jobs apply, fills it.');
  END IF;
  PERFORM zeke_jobs.refuse(format('expected options among %s, got %L', array_to_string(c_options, ', '), k.name))
  FROM jsonb_object_keys(v_options) AS k (name) WHERE k.name <> ALL (c_options);
  v_id := coalesce(v_options ->> 'id', zeke_jobs.new_id()::text);
  v_answer := zeke_jobs.enqueue(v_task.id, NULL, zeke_jobs.accepted(v_task, send.payload)::text, coalesce(v_options, '{}')::text, v_id);
  IF v_answer IS NOT NULL THEN
    PERFORM zeke_jobs.refuse(r.sentence, r.code)
    FROM (VALUES
      ('refused', zeke_jobs.refused(v_answer, v_options),
        CASE WHEN v_answer ->> 'accepted' LIKE 'from %' THEN 'datetime_field_overflow' ELSE 'invalid_parameter_value' END),
      ('full', format('expected fewer than %s queued jobs of %s, got as many', v_task.max_queued, v_task.id), 'configuration_limit_exceeded'),
      ('closed', format('expected a batch that is new or open, got %L, which was closed', v_options ->> 'batch'), 'object_not_in_prerequisite_state'),
      ('taken', format('expected an id of its own, got %s of another task''s job', v_id), 'unique_violation')
    ) AS r (outcome, sentence, code) WHERE r.outcome = v_answer ->> 'outcome';
  END IF;
  RETURN coalesce(v_answer ->> 'job_id', v_id);
END $$;

-- Return the columns of a task that a sender needs. p_name is the id or an alias of the task.
CREATE OR REPLACE FUNCTION zeke_jobs.known_task(p_name text, OUT id text, OUT revision integer,
  OUT payload_schema jsonb, OUT sensitive text[]) RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT t.id, t.revision, t.payload_schema, t.sensitive FROM zeke_jobs.find_task(p_name) AS t WHERE t.id IS NOT NULL $$;

CREATE OR REPLACE FUNCTION zeke_jobs.task_names() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT n.name FROM zeke_jobs.task AS t CROSS JOIN LATERAL unnest(t.id || t.aliases) AS n (name) ORDER BY n.name $$;
