-- The one way into the queue. Python's send, the SQL function and schedules all end in zeke_jobs.enqueue.

-- The fault of a value that Python would read differently or not at all; NULL for none. bounds.py has the same depth. Python reads a number
-- beyond the largest float as infinite, and refuses an integer of more than 4,300 digits, so a value with such a number is long.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_json(p_value jsonb, p_size integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE
    WHEN p_value @? 'strict $.**{100} ? (@.type() == "object" || @.type() == "array")'
      THEN 'expected at most 100 lists and objects inside each other, got more'
    WHEN p_size > 308 AND p_value @? 'strict $.** ? (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308)'
      THEN 'expected numbers of at most 1.7976931348623157e+308, got a larger one'
  END
$$;

-- The bytes of a value as compact JSON, as Python counts them; of a value far above 1 MiB, more.
CREATE OR REPLACE FUNCTION zeke_jobs.json_size(p_value jsonb) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_text text := p_value::text;
BEGIN
  -- jsonb writes a space after each comma and colon: half as much again at most.
  IF octet_length(v_text) > 1048576 AND octet_length(v_text) < 2097152 THEN
    v_text := regexp_replace(v_text, E'("(?:[^"\\\\]|\\\\.)*")|([,:]) ', E'\\1\\2', 'g');
  END IF;
  RETURN octet_length(v_text);
END
$$;

-- The fault of a payload that no task accepts; NULL for none.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_payload(p_payload jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_size integer;
BEGIN
  -- Most payloads are too short for any fault below: a hundred levels take two hundred brackets.
  IF jsonb_typeof(p_payload) = 'object' AND octet_length(p_payload::text) < 200 THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(p_payload) IS DISTINCT FROM 'object' THEN
    RETURN format('expected a JSON object, got %s', coalesce(jsonb_typeof(p_payload), 'NULL'));
  END IF;
  v_size := zeke_jobs.json_size(p_payload);
  IF v_size > 1048576 THEN
    RETURN format('expected at most 1 MiB, got %s bytes', v_size);
  END IF;
  RETURN zeke_jobs.unfit_json(p_payload, v_size);
END
$$;

-- A length of time among the options: a number is seconds, a string is an interval.
CREATE OR REPLACE FUNCTION zeke_jobs.length_of(p_option jsonb) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT CASE WHEN jsonb_typeof(p_option) = 'number' THEN make_interval(secs => (p_option #>> '{}')::double precision)
    ELSE (p_option #>> '{}')::interval END
$$;

-- The retry option of a send, as an object.
CREATE OR REPLACE FUNCTION zeke_jobs.retry_rule(p_retry jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE coalesce(jsonb_typeof(p_retry), 'null')
    WHEN 'null' THEN NULL WHEN 'object' THEN p_retry ELSE jsonb_build_object('limit', p_retry) END
$$;

-- The fault of the options that replace the task's values; NULL for none. retry is a number, or an object of limit, delay and max_delay.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_wishes(p_options jsonb) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
  v_retry jsonb := zeke_jobs.retry_rule(p_options -> 'retry');
  v_wrong text;
BEGIN
  v_wrong := (SELECT k.name FROM jsonb_object_keys(v_retry) AS k (name) WHERE k.name NOT IN ('limit', 'delay', 'max_delay') LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RETURN format('expected retry with limit, delay and max_delay, got %s', v_wrong);
  END IF;
  -- As the views read it: "1e2" is a number, and no integer.
  IF coalesce(v_retry ->> 'limit', '0') !~ '^[0-9]{1,4}$' OR (v_retry ->> 'limit')::integer > 1000 THEN
    RETURN format('expected 0 to 1000 retries, got %s', v_retry ->> 'limit');
  END IF;
  v_wrong := (
    SELECT w.name FROM (VALUES
      ('retry.delay', v_retry -> 'delay', interval '0'), ('retry.max_delay', v_retry -> 'max_delay', interval '0'),
      ('timeout', p_options -> 'timeout', interval '1 millisecond'), ('keep', p_options -> 'keep', interval '0')
    ) AS w (name, given, least)
    WHERE zeke_jobs.length_of(w.given) NOT BETWEEN w.least AND interval '36525 days' LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RETURN format('expected %s of 0 seconds to 100 years, got another length', v_wrong);
  END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception THEN
  RETURN format('expected retry as a number or an object, timeout and keep as seconds or intervals, got %s',
    p_options - (SELECT array_agg(k.name) FROM jsonb_object_keys(p_options) AS k (name) WHERE k.name NOT IN ('retry', 'timeout', 'keep')));
END
$$;

-- The fault of a send's options; NULL for none.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_options(p_options jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT CASE
    WHEN p_options ->> 'key' = '' THEN 'expected key of 1 to 1024 bytes, got 0'
    WHEN octet_length(p_options ->> 'key') > 1024 OR octet_length(p_options ->> 'idempotency_key') > 1024
      OR octet_length(p_options ->> 'unique_key') > 1024
      THEN 'expected key, unique_key and idempotency_key of at most 1024 bytes, got more'
    WHEN jsonb_typeof(p_options -> 'traceparent') NOT IN ('string', 'null') OR octet_length(p_options ->> 'traceparent') > 256
      THEN format('expected traceparent as text of at most 256 bytes, got %s', jsonb_typeof(p_options -> 'traceparent'))
    WHEN p_options ?| ARRAY['retry', 'timeout', 'keep'] AND zeke_jobs.unfit_wishes(p_options) IS NOT NULL
      THEN zeke_jobs.unfit_wishes(p_options)
    WHEN jsonb_typeof(p_options -> 'carried') NOT IN ('object', 'null') OR octet_length(p_options ->> 'carried') > 16384
      THEN format('expected carried as an object of at most 16 KiB, got %s', jsonb_typeof(p_options -> 'carried'))
    -- These are options of the send itself, and are checked there.
    WHEN p_options -> 'carried' ?| ARRAY['retry', 'timeout', 'batch', 'traceparent', 'eta', 'throws', 'producer']
      THEN 'expected carried without retry, timeout, batch, traceparent, eta, throws and producer, got one of them'
    WHEN p_options ? 'carried' THEN zeke_jobs.unfit_json(p_options -> 'carried', octet_length(p_options ->> 'carried'))
  END
$$;

-- Whether a send's options exceed the task's per_send.
CREATE OR REPLACE FUNCTION zeke_jobs.is_beyond(p_task text, p_options jsonb) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT coalesce((zeke_jobs.retry_rule(p_options -> 'retry') ->> 'limit')::integer > (b.most ->> 'retry')::integer, false)
    OR coalesce(zeke_jobs.length_of(p_options -> 'timeout') > (b.most ->> 'timeout')::interval, false)
    OR coalesce(zeke_jobs.length_of(p_options -> 'keep') > (b.most ->> 'keep')::interval, false)
  FROM (SELECT t.definition -> 'per_send' FROM zeke_jobs.task AS t WHERE t.id = p_task) AS b (most)
$$;

-- The options of a job's message: those of dramatiq's middleware, and for the worker the sender's W3C trace context, the batch, the retries
-- and the timeout in seconds.
CREATE OR REPLACE FUNCTION zeke_jobs.message_options(p_options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE -- and not sql: only plpgsql keeps its plans
AS $$
DECLARE
  v_options jsonb := jsonb_build_object('traceparent', p_options -> 'traceparent', 'batch', p_options -> 'batch');
BEGIN
  IF p_options ?| ARRAY['retry', 'timeout'] THEN
    v_options := v_options || jsonb_build_object(
      'retry', (
        SELECT jsonb_object_agg(r.name, CASE r.name WHEN 'limit' THEN r.value ELSE to_jsonb(extract(epoch FROM zeke_jobs.length_of(r.value))) END)
        FROM jsonb_each(zeke_jobs.retry_rule(p_options -> 'retry')) AS r (name, value)),
      'timeout', extract(epoch FROM zeke_jobs.length_of(p_options -> 'timeout')));
  END IF;
  RETURN coalesce(p_options -> 'carried', '{}') || jsonb_strip_nulls(v_options);
END
$$;

-- The units that a task's limits count, each with the largest amount that one job may use.
CREATE OR REPLACE FUNCTION zeke_jobs.units_of(p_task text) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
  SELECT coalesce(jsonb_object_agg(m.unit, m.most), '{}')
  FROM (
    SELECT b.unit, min(b.amount) AS most
    FROM zeke_jobs.task AS t JOIN zeke_jobs.bucket AS b ON b.name = ANY (t.limits) AND b.unit <> 'jobs'
    WHERE t.id = p_task GROUP BY b.unit) AS m
$$;

-- The fault of a job's units; NULL for none.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_units(p_task text, p_units jsonb) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
  v_most jsonb := zeke_jobs.units_of(p_task);
BEGIN
  IF jsonb_typeof(p_units) <> 'object' THEN
    RETURN format('expected units as an object, got %s', jsonb_typeof(p_units));
  END IF;
  RETURN (
    SELECT CASE
      WHEN NOT v_most ? u.key THEN format('expected a unit that a limit of %s counts, got %s', p_task, u.key)
      WHEN jsonb_typeof(u.value) <> 'number' OR u.value < '0' THEN format('expected %s as a number of at least 0, got %s', u.key, u.value)
      ELSE format('expected at most the %s %s that a limit of %s allows, got %s', v_most ->> u.key, u.key, p_task, u.value) END
    FROM jsonb_each(p_units) AS u
    WHERE NOT v_most ? u.key OR jsonb_typeof(u.value) <> 'number' OR u.value < '0' OR u.value > v_most -> u.key
    LIMIT 1);
END
$$;

-- The fault of a dramatiq message that another program wrote; NULL when a worker can read it.
CREATE OR REPLACE FUNCTION zeke_jobs.unfit_message(p_message jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_rest jsonb;
  v_unfit text;
BEGIN
  IF jsonb_typeof(p_message) <> 'object' THEN
    RETURN format('expected a message as object, got %s', jsonb_typeof(p_message));
  END IF;
  SELECT format('expected %s of a message as %s, got %s', f.name, f.type, coalesce(jsonb_typeof(f.value), 'none')) INTO v_unfit
  FROM (VALUES
    ('actor_name', 'string', p_message -> 'actor_name', false), ('args', 'array', p_message -> 'args', true),
    ('kwargs', 'object', p_message -> 'kwargs', true), ('options', 'object', p_message -> 'options', true),
    ('message_timestamp', 'number', p_message -> 'message_timestamp', true), ('eta', 'number', p_message #> '{options,eta}', true)
  ) AS f (name, type, value, may_be_absent)
  WHERE coalesce(jsonb_typeof(f.value), 'null') <> f.type AND NOT (f.may_be_absent AND coalesce(f.value, 'null') = 'null')
  LIMIT 1;
  IF v_unfit IS NOT NULL THEN
    RETURN v_unfit;
  END IF;
  v_rest := p_message - 'kwargs';
  RETURN coalesce(
    zeke_jobs.unfit_options(jsonb_strip_nulls(jsonb_build_object(
      'traceparent', coalesce(p_message #> '{options,traceparent}', 'null'), 'retry', p_message #> '{options,retry}',
      'timeout', p_message #> '{options,timeout}'))),
    zeke_jobs.unfit_json(v_rest, octet_length(v_rest::text)),
    zeke_jobs.unfit_payload(coalesce(nullif(p_message -> 'kwargs', 'null'), '{}')));
END
$$;

-- Complete a row that an unmodified dramatiq-pg producer wrote, so that it has the columns of our own sends. A message that no worker could
-- read is refused with an error in the producer's transaction.
CREATE OR REPLACE FUNCTION zeke_jobs.adopt() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  v_task zeke_jobs.task;
  v_unfit text;
BEGIN
  IF NEW.message IS NULL THEN
    RETURN NEW;
  END IF;
  v_unfit := zeke_jobs.unfit_message(NEW.message);
  IF v_unfit IS NOT NULL THEN
    RAISE EXCEPTION '%', v_unfit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  NEW.queue_name := regexp_replace(NEW.queue_name, '[.]DQ$', '');
  v_task := zeke_jobs.find_task(NEW.message ->> 'actor_name');
  IF v_task.id IS NOT NULL THEN
    NEW.queue_name := v_task.queue;
    NEW.priority := v_task.priority;
    NEW.sensitive := nullif(NEW.sensitive || v_task.sensitive, '{}');
    IF v_task.per_key IS NOT NULL AND NEW.key IS NULL THEN
      NEW.key := NEW.message_id::text;
    END IF;
    NEW.order_hold := v_task.order_hold;
  END IF;
  IF jsonb_typeof(NEW.message #> '{options,eta}') = 'number' THEN
    NEW.run_at := zeke_jobs.readable(
      to_timestamp((NEW.message #>> '{options,eta}')::numeric / 1000.0), 'eta of a message', NEW.message #>> '{options,eta}');
  END IF;
  NEW.message := NEW.message || jsonb_build_object(
    'queue_name', NEW.queue_name, 'actor_name', coalesce(v_task.id, NEW.message ->> 'actor_name'),
    'options', coalesce(nullif(NEW.message -> 'options', 'null'), '{}') - 'eta');
  NEW.extra := coalesce(NEW.extra, '{}') || '{"producer": "dramatiq-pg"}'; -- it may wait for the end, and cannot ask for the announcement
  NEW.revision := (SELECT coalesce(max(number), 0) FROM zeke_jobs.revision);
  NEW.mtime := clock_timestamp();
  PERFORM zeke_jobs.notify_idle(NEW.queue_name);
  RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER queue_adopt_insert BEFORE INSERT ON zeke_jobs.queue
  FOR EACH ROW WHEN (NEW.revision IS NULL) EXECUTE FUNCTION zeke_jobs.adopt();

-- Only for a stock producer's upsert: our own changes move mtime.
CREATE OR REPLACE TRIGGER queue_adopt_update BEFORE UPDATE OF message ON zeke_jobs.queue
  FOR EACH ROW WHEN (NEW.mtime = OLD.mtime AND NEW.state = 'queued') EXECUTE FUNCTION zeke_jobs.adopt();

-- The key under which a send is unique: its task and the values of the fields (without fields: the whole payload). A missing field counts
-- as its default.
CREATE OR REPLACE FUNCTION zeke_jobs.unique_key(p_task zeke_jobs.task, p_fields text[], p_payload jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT (p_task).id || ' ' || left(encode(sha256(convert_to(coalesce(
    (SELECT jsonb_object_agg(f, coalesce(p_payload -> f, (p_task).payload_schema #> ARRAY['properties', f, 'default']))
     FROM unnest(p_fields) AS f),
    p_payload)::text, 'UTF8')), 'hex'), 32)
$$;

-- The uniqueness of a send, from its own option, else from the task; NULL for none.
CREATE OR REPLACE FUNCTION zeke_jobs.unique_rule(
  p_task zeke_jobs.task, p_option jsonb, OUT fields text[], OUT held_while text, OUT period interval)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  fields := p_task.unique_fields;
  held_while := coalesce(p_task.unique_while, 'queued');
  period := p_task.unique_period;
  CASE coalesce(jsonb_typeof(p_option), 'null')
    WHEN 'null' THEN
      RETURN;
    WHEN 'boolean' THEN
      fields := CASE WHEN p_option::boolean THEN coalesce(fields, '{}') END;
      RETURN;
    WHEN 'string' THEN
      fields := ARRAY[p_option #>> '{}'];
    WHEN 'array' THEN
      fields := ARRAY(SELECT jsonb_array_elements_text(p_option));
    WHEN 'object' THEN
      IF p_option ? 'fields' THEN
        fields := ARRAY(SELECT jsonb_array_elements_text(p_option -> 'fields'));
      END IF;
      period := coalesce((p_option ->> 'period')::interval, period);
      held_while := coalesce(p_option ->> 'while', CASE WHEN p_option ? 'period' THEN 'period' END, held_while);
    ELSE
      RAISE EXCEPTION 'expected unique as a field, a list of fields or {"fields", "while", "period"}, got %', p_option
        USING ERRCODE = 'invalid_parameter_value';
  END CASE;
  fields := ARRAY(
    SELECT coalesce(
      (SELECT p.name FROM jsonb_object_keys(p_task.payload_schema -> 'properties') AS p (name)
       WHERE f = p.name OR f = zeke_jobs.camel(p.name)),
      f)
    FROM unnest(fields) AS f);
  IF held_while NOT IN ('queued', 'active', 'period') OR held_while = 'period' AND period IS NULL THEN
    RAISE EXCEPTION 'expected unique while queued, active or for a period, got %', p_option
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;

-- What happens when a queued job has a send's unique key: the send makes no job (ignore), gives the job its payload and run time (replace), or
-- does so but never makes it run earlier (postpone), and never later than at_most after the first send. From its own option, else from the task.
CREATE OR REPLACE FUNCTION zeke_jobs.duplicate_rule(
  p_task zeke_jobs.task, p_option jsonb, OUT on_duplicate text, OUT at_most interval)
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
BEGIN
  IF jsonb_typeof(p_option) <> 'object' THEN
    p_option := NULL;
  END IF;
  on_duplicate := coalesce(p_option ->> 'on_duplicate', p_task.definition #>> '{unique,on_duplicate}', 'ignore');
  at_most := coalesce(
    zeke_jobs.length_of(nullif(p_option -> 'at_most', 'null')), (p_task.definition #>> '{unique,at_most}')::interval);
  IF on_duplicate NOT IN ('ignore', 'replace', 'postpone') THEN
    RAISE EXCEPTION 'expected on_duplicate ignore, replace or postpone, got %', on_duplicate USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;

-- The dramatiq message of a job. PostgreSQL inlines the body at no cost, as long as it is no more volatile than the declaration says.
CREATE OR REPLACE FUNCTION zeke_jobs.message(
  p_queue text, p_task text, p_id uuid, p_payload jsonb, p_options jsonb, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT jsonb_build_object(
    'queue_name', p_queue, 'actor_name', p_task, 'args', '[]'::jsonb, 'kwargs', p_payload,
    'options', CASE WHEN p_options ?| ARRAY['traceparent', 'retry', 'timeout', 'batch', 'carried']
      THEN zeke_jobs.message_options(p_options) ELSE '{}' END,
    'message_id', p_id, 'message_timestamp', floor(extract(epoch FROM p_now) * 1000)::bigint)
$$;

-- A time among the options: a number is seconds from now, a string is a time (for delay: an interval).
CREATE OR REPLACE FUNCTION zeke_jobs.moment(p_options jsonb, p_name text, p_now timestamptz, p_default timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
  v_given text := p_options ->> p_name;
BEGIN
  IF v_given IS NULL THEN
    RETURN p_default;
  END IF;
  RETURN zeke_jobs.readable(
    CASE
      WHEN jsonb_typeof(p_options -> p_name) = 'number' THEN p_now + make_interval(secs => v_given::double precision)
      WHEN p_name = 'delay' THEN p_now + v_given::interval
      ELSE v_given::timestamptz
    END, p_name, v_given);
END
$$;

-- The number of jobs of the task that may still be queued. Concurrent senders may exceed it by one job each.
CREATE OR REPLACE FUNCTION zeke_jobs.places_left(p_task zeke_jobs.task) RETURNS bigint
LANGUAGE sql STABLE
AS $$
  SELECT (p_task).max_queued - count(*)
  FROM (
    SELECT 1
    FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.queue_name = (p_task).queue AND q.task = (p_task).id
    LIMIT (p_task).max_queued
  ) AS queued
$$;

-- Whether a job still prevents others with its unique key. A running job does not prevent its own successor.
CREATE OR REPLACE FUNCTION zeke_jobs.holds(p_job zeke_jobs.queue, p_while text, p_period interval, p_parent uuid) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT CASE p_while
    WHEN 'queued' THEN (p_job).state = 'queued'
    WHEN 'active' THEN
      (p_job).state = 'queued' OR (p_job).state = 'consumed' AND (p_job).message_id IS DISTINCT FROM p_parent
    ELSE (p_job).created_on + p_period > zeke_jobs.now()
  END
$$;

-- Give a queued job the payload, the run time and the other options of a later send. A job that waits for a retry never runs earlier, and
-- loses its steps and waits for events, because they belong to the former payload. False: the job is no longer queued.
CREATE OR REPLACE FUNCTION zeke_jobs.take_place(
  p_job uuid, p_task zeke_jobs.task, p_payload jsonb, p_options jsonb, p_now timestamptz, p_run_at timestamptz, p_expires timestamptz,
  p_how text, p_at_most interval) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
  v_queue text;
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET message = zeke_jobs.message(p_task.queue, p_task.id, q.message_id, p_payload,
      (p_options - 'batch') || jsonb_strip_nulls(jsonb_build_object('batch', q.extra -> 'batch')), p_now),
    run_at = greatest(
      CASE WHEN q.attempt > 0 THEN q.run_at ELSE '-infinity' END,
      least(CASE p_how WHEN 'postpone' THEN greatest(q.run_at, p_run_at) ELSE p_run_at END, q.created_on + p_at_most)),
    priority = coalesce((p_options ->> 'priority')::integer, q.priority),
    expires_on = coalesce(p_expires, q.expires_on),
    extra = nullif(coalesce(q.extra, '{}') || jsonb_strip_nulls(jsonb_build_object(
      'keep', zeke_jobs.length_of(p_options -> 'keep'), 'units', p_options -> 'units')), '{}'),
    sensitive = nullif(p_task.sensitive, '{}'),
    mtime = clock_timestamp()
  WHERE q.message_id = p_job AND q.state = 'queued'
  RETURNING q.queue_name INTO v_queue;
  IF v_queue IS NULL THEN
    RETURN false;
  END IF;
  DELETE FROM zeke_jobs.step AS s WHERE s.job = p_job;
  DELETE FROM zeke_jobs.wait AS w WHERE w.job = p_job;
  -- Claims skipped the job while this transaction held its row.
  PERFORM zeke_jobs.notify_idle(v_queue);
  RETURN true;
END
$$;

-- Take a unique key for a job that is about to be sent. Returns the job that holds the key: this one, or an earlier one. p_while, p_period: how long a
-- job holds it (zeke_jobs.holds); without p_while as long as its row is there. Without p_takes it only looks.
CREATE OR REPLACE FUNCTION zeke_jobs.take_key(
  p_key text, p_job uuid, p_takes boolean, p_while text DEFAULT NULL, p_period interval DEFAULT NULL, p_parent uuid DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql VOLATILE -- with the settings of zeke_jobs.put, which calls it
AS $$
DECLARE
  v_holder uuid;
BEGIN
  LOOP
    IF p_takes THEN
      -- Waits for another sender that is inserting the key; the next statement sees that sender's job.
      INSERT INTO zeke_jobs.unique_holder (unique_key, job) VALUES (p_key, p_job) ON CONFLICT DO NOTHING;
      IF FOUND THEN
        RETURN p_job;
      END IF;
    END IF;
    SELECT u.job INTO v_holder FROM zeke_jobs.unique_holder AS u WHERE u.unique_key = p_key;
    IF EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.message_id = v_holder AND (p_while IS NULL OR zeke_jobs.holds(q, p_while, p_period, p_parent)))
    THEN
      RETURN v_holder;
    END IF;
    IF NOT p_takes THEN
      RETURN p_job;
    END IF;
    UPDATE zeke_jobs.unique_holder AS u SET job = p_job WHERE u.unique_key = p_key AND u.job = v_holder;
    IF FOUND THEN
      RETURN p_job;
    END IF;
  END LOOP;
END
$$;

-- Insert one job, or find the job that it duplicates. Ordinary refusals raise no error, because an error would abort the caller's
-- transaction. The outcome is created, duplicate (job_id is the first job), full, unknown (no such task), stale (the payload was checked
-- against another revision of the task), taken (the id belongs to a job of another task), beyond (an option exceeds the task's per_send),
-- closed (the batch accepts no more jobs) or replaced (job_id is the queued job that now has the payload). p_is_promised: send it even if the
-- queue is full.
CREATE OR REPLACE FUNCTION zeke_jobs.put(
  p_task text, p_revision integer, p_payload jsonb, p_options jsonb, p_is_promised boolean DEFAULT false,
  OUT outcome text, OUT job_id uuid, OUT status zeke_jobs.job_status)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_task zeke_jobs.task;
  v_now timestamptz := zeke_jobs.now();
  v_job zeke_jobs.queue;
  v_unfit text;
  v_full boolean := false;
  v_holder uuid;
  v_unique record;
  v_rule record;
BEGIN
  -- Without the long definition and payload schema; only a unique send reads them, below.
  SELECT t.id, t.queue, t.priority, t.per_key, t.revision, t.max_queued, t.unique_fields, t.sensitive, t.order_hold
  INTO v_task.id, v_task.queue, v_task.priority, v_task.per_key, v_task.revision, v_task.max_queued, v_task.unique_fields, v_task.sensitive,
    v_task.order_hold
  FROM zeke_jobs.task AS t WHERE t.id = p_task;
  IF v_task.id IS NULL THEN
    v_task := zeke_jobs.find_task(p_task);
  END IF;
  IF v_task.id IS NULL OR p_revision <> v_task.revision THEN
    outcome := CASE WHEN v_task.id IS NULL THEN 'unknown' ELSE 'stale' END;
    RETURN;
  END IF;
  -- Any sender may call this function without Python's checks.
  v_unfit := zeke_jobs.unfit_payload(p_payload);
  IF v_unfit IS NOT NULL THEN
    RAISE EXCEPTION 'payload of %: %', v_task.id, v_unfit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  v_job.message_id := coalesce((p_options ->> 'id')::uuid, zeke_jobs.new_id());
  v_job.priority := v_task.priority;
  v_job.run_at := v_now;
  -- PL/pgSQL prepares each expression anew in each transaction, so a send without options must not reach the expressions about them.
  IF jsonb_typeof(p_options) = 'object' AND p_options - 'id' <> '{}' THEN
    v_unfit := coalesce(
      zeke_jobs.unfit_options(p_options),
      CASE WHEN p_options ? 'units' THEN zeke_jobs.unfit_units(v_task.id, p_options -> 'units') END);
    IF v_unfit IS NOT NULL THEN
      RAISE EXCEPTION '%', v_unfit USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_options ?| ARRAY['retry', 'timeout', 'keep'] AND zeke_jobs.is_beyond(v_task.id, p_options) THEN
      outcome := 'beyond';
      RETURN;
    END IF;
    v_job.priority := coalesce((p_options ->> 'priority')::integer, v_job.priority);
    v_job.key := p_options ->> 'key';
    v_job.parent := (p_options ->> 'parent')::uuid;
    v_job.extra := nullif(jsonb_strip_nulls(jsonb_build_object(
      'batch', p_options -> 'batch', 'keep', zeke_jobs.length_of(p_options -> 'keep'), 'units', p_options -> 'units',
      'idempotency_key', p_options -> 'idempotency_key')), '{}');
    IF p_options ?| ARRAY['run_at', 'delay', 'expires', 'scheduled_for'] THEN
      v_job.run_at := zeke_jobs.moment(p_options, 'run_at', v_now, zeke_jobs.moment(p_options, 'delay', v_now, v_now));
      v_job.expires_on := zeke_jobs.moment(p_options, 'expires', v_now, NULL);
      v_job.scheduled_for := zeke_jobs.moment(p_options, 'scheduled_for', v_now, NULL);
    END IF;
  END IF;
  v_holder := v_job.message_id;
  IF p_options ? 'id' THEN
    -- A send that is repeated after a lost answer finds its job before it takes a key anew.
    PERFORM 1 FROM zeke_jobs.queue AS q WHERE q.message_id = v_job.message_id;
    IF FOUND THEN
      SELECT f.* INTO outcome, job_id, status FROM zeke_jobs.found(v_holder, v_task.id) AS f;
      RETURN;
    END IF;
  END IF;
  -- The job of on_failed, and the job at the end of a batch, are sent even if the queue is full.
  IF v_task.max_queued IS NOT NULL AND NOT p_is_promised THEN
    v_full := zeke_jobs.places_left(v_task) <= 0;
  END IF;
  IF p_options ? 'batch' THEN
    PERFORM zeke_jobs.refuse_telling_batch(p_options ->> 'batch', p_payload, v_task.id, v_task.sensitive);
    IF NOT v_full AND NOT zeke_jobs.enter_batch(p_options, v_job.message_id) THEN
      outcome := 'closed';
      RETURN;
    END IF;
  END IF;
  IF p_options ? 'idempotency_key' THEN
    v_holder := zeke_jobs.take_key(v_task.id || ' !' || (p_options ->> 'idempotency_key'), v_job.message_id, NOT v_full);
  END IF;
  IF v_job.scheduled_for IS NOT NULL AND v_holder = v_job.message_id THEN
    v_job.extra := nullif(coalesce(v_job.extra, '{}') || jsonb_strip_nulls(jsonb_build_object('schedule', p_options -> 'schedule')), '{}');
    v_holder := zeke_jobs.take_key(
      format('%s @%s %s', v_task.id, extract(epoch FROM v_job.scheduled_for), p_options ->> 'schedule'), v_job.message_id, NOT v_full);
  END IF;
  IF v_holder = v_job.message_id AND (v_task.unique_fields IS NOT NULL OR p_options ?| ARRAY['unique', 'unique_key']) THEN
    SELECT * INTO v_task FROM zeke_jobs.task AS t WHERE t.id = v_task.id;
    SELECT * INTO v_unique FROM zeke_jobs.unique_by(v_task, p_payload, p_options);
    SELECT * INTO v_rule FROM zeke_jobs.duplicate_rule(v_task, p_options -> 'unique');
    IF v_rule.on_duplicate <> 'ignore' AND v_unique.held_while <> 'queued' THEN
      RAISE EXCEPTION 'expected on_duplicate % while queued, got while %: a job that runs or has run keeps its payload',
        v_rule.on_duplicate, v_unique.held_while USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF v_unique.key IS NOT NULL THEN
      v_job.extra := coalesce(v_job.extra, '{}') || jsonb_build_object('unique_key', v_unique.key);
    END IF;
    WHILE v_unique.key IS NOT NULL LOOP
      v_holder := zeke_jobs.take_key(v_unique.key, v_job.message_id, NOT v_full, v_unique.held_while, v_unique.period, v_job.parent);
      EXIT WHEN v_holder = v_job.message_id OR v_rule.on_duplicate = 'ignore';
      -- If a claim came first, the job no longer holds its key.
      CONTINUE WHEN NOT zeke_jobs.take_place(
        v_holder, v_task, p_payload, p_options, v_now, v_job.run_at, v_job.expires_on, v_rule.on_duplicate, v_rule.at_most);
      SELECT 'replaced', f.job_id, f.status INTO outcome, job_id, status FROM zeke_jobs.found(v_holder, v_task.id) AS f;
      RETURN;
    END LOOP;
  END IF;
  IF v_holder = v_job.message_id AND NOT v_full THEN
    INSERT INTO zeke_jobs.queue (
      message_id, queue_name, message, priority, run_at, expires_on, key, created_on, parent, scheduled_for, revision, sensitive, order_hold, extra)
    VALUES (
      v_job.message_id,
      v_task.queue,
      zeke_jobs.message(v_task.queue, v_task.id, v_job.message_id, p_payload, p_options, v_now),
      v_job.priority,
      v_job.run_at,
      v_job.expires_on,
      coalesce(v_job.key, CASE WHEN v_task.per_key IS NOT NULL THEN v_job.message_id::text END),
      v_now,
      v_job.parent,
      v_job.scheduled_for,
      coalesce((SELECT r.number FROM zeke_jobs.revision AS r ORDER BY r.number DESC LIMIT 1), 0),
      nullif(v_task.sensitive, '{}'),
      v_task.order_hold,
      v_job.extra)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
      IF p_options ? 'batch' THEN
        PERFORM zeke_jobs.count_in_batches(ARRAY[v_job.message_id], 1);
      END IF;
      IF v_job.run_at <= v_now THEN
        PERFORM zeke_jobs.notify_idle(v_task.queue);
      END IF;
      outcome := 'created';
      job_id := v_job.message_id;
      status := 'created';
      RETURN;
    END IF;
  ELSIF v_holder = v_job.message_id THEN
    outcome := 'full';
    RETURN;
  ELSIF p_options ? 'idempotency_key' THEN
    -- This send makes no job, so it keeps no key.
    DELETE FROM zeke_jobs.unique_holder AS u WHERE u.unique_key = v_task.id || ' !' || (p_options ->> 'idempotency_key') AND u.job = v_job.message_id;
  END IF;
  SELECT f.* INTO outcome, job_id, status FROM zeke_jobs.found(v_holder, v_task.id) AS f;
END
$$;

-- The answer to a send that found a job: duplicate, or taken if it is another task's.
CREATE OR REPLACE FUNCTION zeke_jobs.found(p_job uuid, p_task text, OUT outcome text, OUT job_id uuid, OUT status zeke_jobs.job_status)
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN q.task = p_task THEN 'duplicate' ELSE 'taken' END, q.message_id, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)
  FROM zeke_jobs.queue AS q WHERE q.message_id = p_job
$$;

-- By which key a send is unique, and while what; key is NULL for none. The caller's own text has another prefix than keys made of fields.
CREATE OR REPLACE FUNCTION zeke_jobs.unique_by(
  p_task zeke_jobs.task, p_payload jsonb, p_options jsonb, OUT key text, OUT held_while text, OUT period interval)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  v_fields text[];
BEGIN
  SELECT r.fields, r.held_while, r.period INTO v_fields, unique_by.held_while, unique_by.period
  FROM zeke_jobs.unique_rule(p_task, p_options -> 'unique') AS r;
  IF p_options ->> 'unique_key' IS NOT NULL THEN
    unique_by.key := p_task.id || ' =' || (p_options ->> 'unique_key');
    unique_by.held_while := CASE WHEN p_options ? 'unique' THEN held_while ELSE 'active' END;
  ELSIF v_fields IS NOT NULL THEN
    unique_by.key := zeke_jobs.unique_key(p_task, v_fields, p_payload);
  END IF;
END
$$;

-- Send a job with options that any sender may give: zeke_jobs.put without what only we may say.
CREATE OR REPLACE FUNCTION zeke_jobs.enqueue(
  p_task text, p_revision integer, p_payload jsonb, p_options jsonb,
  OUT outcome text, OUT job_id uuid, OUT status zeke_jobs.job_status)
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM zeke_jobs.check_sender(p_options);
  SELECT p.* INTO outcome, job_id, status FROM zeke_jobs.put(p_task, p_revision, p_payload, p_options) AS p;
END
$$;

-- Refuse options that are not a sender's to give.
CREATE OR REPLACE FUNCTION zeke_jobs.check_sender(p_options jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  IF p_options IS NULL OR p_options = '{}' OR NOT p_options ?| ARRAY['carried', 'scheduled_for'] THEN
    RETURN;
  END IF;
  IF p_options -> 'carried' ? 'failure_of' THEN
    RAISE EXCEPTION 'expected carried without failure_of, got it' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM zeke_jobs.moment(p_options, 'scheduled_for', zeke_jobs.now(), NULL);
  -- With this option a sender could send the job of a tick before the scheduler does, and so replace it.
  IF p_options ? 'scheduled_for' AND NOT has_function_privilege(
    session_user, 'zeke_jobs.record_tick(text, timestamptz, text, text, text, uuid)', 'EXECUTE')
  THEN
    RAISE EXCEPTION 'expected no option scheduled_for from %: only a role that runs schedules sends the job of a tick',
      session_user USING ERRCODE = 'insufficient_privilege';
  END IF;
END
$$;

-- Insert many jobs of one task in one statement. Returns a row for each job that was not created; ordinal counts from 1, and 0 means all.
CREATE OR REPLACE FUNCTION zeke_jobs.enqueue_many(
  p_task text, p_revision integer, p_payloads jsonb, p_ids uuid[], p_keys text[], p_options jsonb)
RETURNS TABLE (ordinal bigint, outcome text, job_id uuid, status zeke_jobs.job_status)
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  v_task zeke_jobs.task := zeke_jobs.find_task(p_task);
  v_now timestamptz := zeke_jobs.now();
  v_run_at timestamptz;
  v_fields text[];
  v_unique_keys text[];
  v_taken uuid[];
  v_unfit text;
  v_made uuid[];
BEGIN
  PERFORM zeke_jobs.check_sender(p_options);
  IF v_task.id IS NULL OR p_revision <> v_task.revision THEN
    RETURN QUERY SELECT 0::bigint, CASE WHEN v_task.id IS NULL THEN 'unknown' ELSE 'stale' END, NULL::uuid,
      NULL::zeke_jobs.job_status;
    RETURN;
  END IF;
  v_unfit := coalesce(
    zeke_jobs.unfit_options(p_options),
    CASE WHEN p_options ? 'units' THEN zeke_jobs.unfit_units(v_task.id, p_options -> 'units') END,
    (SELECT zeke_jobs.unfit_options(jsonb_build_object('key', k.key)) FROM unnest(p_keys) AS k (key) WHERE k.key = '' OR octet_length(k.key) > 1024 LIMIT 1),
    (SELECT format('payloads[%s] of %s: %s', p.n - 1, v_task.id, u.unfit)
     FROM jsonb_array_elements(p_payloads) WITH ORDINALITY AS p (payload, n)
     CROSS JOIN LATERAL (SELECT zeke_jobs.unfit_payload(p.payload) AS unfit OFFSET 0) AS u
     WHERE u.unfit IS NOT NULL
     LIMIT 1));
  IF v_unfit IS NOT NULL THEN
    RAISE EXCEPTION '%', v_unfit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF zeke_jobs.is_beyond(v_task.id, p_options) THEN
    RETURN QUERY SELECT 0::bigint, 'beyond', NULL::uuid, NULL::zeke_jobs.job_status;
    RETURN;
  END IF;
  SELECT r.fields INTO v_fields FROM zeke_jobs.unique_rule(v_task, p_options -> 'unique') AS r;
  -- A send that is repeated after a lost answer needs room only for the jobs that the first try did not write.
  IF v_task.max_queued IS NOT NULL AND zeke_jobs.places_left(v_task) < (
    SELECT count(*) FROM unnest(p_ids) AS i (id) WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = i.id))
  THEN
    RETURN QUERY SELECT 0::bigint, 'full', NULL::uuid, NULL::zeke_jobs.job_status;
    RETURN;
  END IF;
  IF p_options ? 'batch' AND v_task.sensitive <> '{}' THEN
    PERFORM zeke_jobs.refuse_telling_batch(p_options ->> 'batch', p.payload, v_task.id, v_task.sensitive)
    FROM jsonb_array_elements(p_payloads) AS p (payload);
  END IF;
  -- A send that is repeated after a lost answer adds no job.
  IF p_options ? 'batch' AND NOT zeke_jobs.enter_batch(p_options, p_ids[1]) AND EXISTS (
    SELECT 1 FROM unnest(p_ids) AS i (id) WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = i.id))
  THEN
    RETURN QUERY SELECT 0::bigint, 'closed', NULL::uuid, NULL::zeke_jobs.job_status;
    RETURN;
  END IF;
  IF v_fields IS NOT NULL THEN
    v_unique_keys := ARRAY(
      SELECT zeke_jobs.unique_key(v_task, v_fields, p.payload)
      FROM jsonb_array_elements(p_payloads) WITH ORDINALITY AS p (payload, n) ORDER BY p.n);
    -- In the order of the keys, so that two senders never wait for each other.
    WITH taken AS (
      INSERT INTO zeke_jobs.unique_holder AS u (unique_key, job)
      SELECT DISTINCT ON (j.unique_key) j.unique_key, j.id
      FROM ROWS FROM (unnest(p_ids), unnest(v_unique_keys)) WITH ORDINALITY AS j (id, unique_key, n)
      WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = j.id)
      ORDER BY j.unique_key, j.n
      ON CONFLICT DO NOTHING
      RETURNING u.job
    )
    SELECT coalesce(array_agg(t.job), '{}') INTO v_taken FROM taken AS t;
  END IF;
  v_run_at := zeke_jobs.moment(p_options, 'run_at', v_now, zeke_jobs.moment(p_options, 'delay', v_now, v_now));
  WITH made AS (
    INSERT INTO zeke_jobs.queue AS q (
      message_id, queue_name, message, priority, run_at, expires_on, key, created_on, parent, revision, sensitive, order_hold, extra)
    SELECT
      j.id,
      v_task.queue,
      zeke_jobs.message(v_task.queue, v_task.id, j.id, j.payload, p_options, v_now),
      coalesce((p_options ->> 'priority')::integer, v_task.priority),
      v_run_at,
      zeke_jobs.moment(p_options, 'expires', v_now, NULL),
      coalesce(j.key, p_options ->> 'key', CASE WHEN v_task.per_key IS NOT NULL THEN j.id::text END),
      v_now,
      (p_options ->> 'parent')::uuid,
      (SELECT coalesce(max(r.number), 0) FROM zeke_jobs.revision AS r),
      nullif(v_task.sensitive, '{}'),
      v_task.order_hold,
      nullif(jsonb_strip_nulls(jsonb_build_object(
        'batch', p_options -> 'batch', 'keep', zeke_jobs.length_of(p_options -> 'keep'), 'units', p_options -> 'units', 'unique_key', j.unique_key)), '{}')
    FROM ROWS FROM (unnest(p_ids), unnest(p_keys), jsonb_array_elements(p_payloads), unnest(v_unique_keys))
      AS j (id, key, payload, unique_key)
    LEFT JOIN unnest(v_taken) AS t (id) ON t.id = j.id
    WHERE v_fields IS NULL OR t.id IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING q.message_id
  )
  SELECT coalesce(array_agg(m.message_id), '{}') INTO v_made FROM made AS m;
  IF p_options ? 'batch' THEN
    PERFORM zeke_jobs.count_in_batches(v_made, 1);
  END IF;
  IF v_made <> '{}' AND v_run_at <= v_now THEN
    PERFORM zeke_jobs.notify_idle(v_task.queue);
  END IF;
  IF cardinality(v_made) = cardinality(p_ids) THEN
    RETURN;
  END IF;
  -- Other jobs have some of the unique keys: decide these sends one by one, in the same order.
  RETURN QUERY
    SELECT j.n, e.outcome, e.job_id, e.status
    FROM (
      SELECT i.id, i.key, i.payload, i.n
      FROM ROWS FROM (unnest(p_ids), unnest(p_keys), jsonb_array_elements(p_payloads), unnest(v_unique_keys))
        WITH ORDINALITY AS i (id, key, payload, unique_key, n)
      WHERE i.id <> ALL (v_made) AND NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = i.id)
      ORDER BY i.unique_key, i.n
      OFFSET 0
    ) AS j
    CROSS JOIN LATERAL zeke_jobs.put(
      v_task.id, NULL, j.payload,
      (p_options - 'then') || jsonb_strip_nulls(jsonb_build_object(
        'id', j.id, 'key', coalesce(j.key, p_options ->> 'key')))) AS e;
END
$$;

-- The fault of a payload with keys in snake_case: its first unknown or missing field, else NULL. Types are
-- checked by Python's send, and by the worker.
CREATE OR REPLACE FUNCTION zeke_jobs.payload_fault(p_payload jsonb, p_schema jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  v_shape jsonb := zeke_jobs.shape(p_schema, p_schema);
  v_fields text[];
  v_wrong text;
BEGIN
  IF p_schema IS NULL THEN
    RETURN NULL;
  END IF;
  v_wrong := (SELECT r.name FROM jsonb_array_elements_text(coalesce(p_schema -> 'required', '[]')) AS r (name)
              WHERE NOT p_payload ? r.name LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RETURN format('expected field %s, got none', v_wrong);
  END IF;
  IF coalesce(v_shape -> 'additionalProperties', 'false') = 'false' THEN
    v_fields := ARRAY(SELECT jsonb_object_keys(coalesce(v_shape -> 'properties', '{}')));
    v_wrong := (SELECT k.name FROM jsonb_object_keys(p_payload) AS k (name) WHERE k.name <> ALL (v_fields) LIMIT 1);
    IF v_wrong IS NOT NULL THEN
      RETURN format('expected fields of the task (%s), got %s', array_to_string(v_fields, ', '), v_wrong);
    END IF;
  END IF;
  RETURN NULL;
END
$$;

-- Send a job, from any language, in the caller's transaction. A second send with the same idempotency key, id or unique fields returns the
-- first job's id.
--   SELECT zeke_jobs.send('ingest-oneoff', '{"url": "https://example.org/post"}', '{"delay": 60, "priority": 5}');
CREATE OR REPLACE FUNCTION zeke_jobs.send(task text, payload jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
SET jit = off SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
  c_options CONSTANT text[] := ARRAY[
    'batch', 'delay', 'expires', 'id', 'idempotency_key', 'keep', 'key', 'parent', 'priority', 'retry', 'run_at', 'scheduled_for',
    'timeout', 'traceparent', 'unique', 'unique_key', 'units'];
  v_task zeke_jobs.task := zeke_jobs.find_task(send.task);
  v_payload jsonb;
  v_fault text;
  v_wrong text;
  v_sent record;
BEGIN
  IF v_task.id IS NULL THEN
    RAISE EXCEPTION 'expected the name of a task, got %', coalesce(quote_literal(send.task), 'NULL')
      USING ERRCODE = 'undefined_object',
        HINT = coalesce(
          'Tasks: ' || (SELECT string_agg(t.id, ', ' ORDER BY t.id) FROM zeke_jobs.task AS t),
          'The catalogue is empty; the first worker that starts, or zeke-jobs apply, fills it.');
  END IF;
  v_wrong := (SELECT k.name FROM jsonb_object_keys(send.options) AS k (name) WHERE k.name <> ALL (c_options) LIMIT 1);
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION 'expected options among %, got %', array_to_string(c_options, ', '), quote_literal(v_wrong)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- Before the renaming, which recurses as deep as the payload is nested.
  v_fault := zeke_jobs.unfit_payload(send.payload);
  IF v_fault IS NULL THEN
    v_payload := zeke_jobs.rename_keys(send.payload, v_task.payload_schema, v_task.payload_schema, false);
    v_fault := zeke_jobs.payload_fault(v_payload, v_task.payload_schema);
  END IF;
  IF v_fault IS NOT NULL THEN
    RAISE EXCEPTION 'payload of %: %', v_task.id, v_fault USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT * INTO v_sent FROM zeke_jobs.enqueue(v_task.id, NULL, v_payload, send.options);
  CASE v_sent.outcome
    WHEN 'full' THEN
      RAISE EXCEPTION 'expected fewer than % queued jobs of %, got as many', v_task.max_queued, v_task.id
        USING ERRCODE = 'configuration_limit_exceeded';
    WHEN 'closed' THEN
      RAISE EXCEPTION 'expected a batch that is new or open, got %, which was closed', quote_literal(send.options ->> 'batch')
        USING ERRCODE = 'object_not_in_prerequisite_state';
    WHEN 'beyond' THEN
      RAISE EXCEPTION 'expected retry, timeout and keep within per_send of %, got %', v_task.id, send.options
        USING ERRCODE = 'invalid_parameter_value', HINT = 'It allows: ' || (v_task.definition ->> 'per_send');
    WHEN 'taken' THEN
      RAISE EXCEPTION 'expected an id of its own, got % of another task''s job', v_sent.job_id
        USING ERRCODE = 'unique_violation';
    ELSE
      RETURN v_sent.job_id;
  END CASE;
END
$$;

-- The columns that senders need of a task, by its name or an alias.
CREATE OR REPLACE FUNCTION zeke_jobs.known_task(
  p_name text, OUT id text, OUT revision integer, OUT payload_schema jsonb, OUT sensitive text[])
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
  SELECT t.id, t.revision, t.payload_schema, t.sensitive FROM zeke_jobs.find_task(p_name) AS t WHERE t.id IS NOT NULL
$$;

-- All names of tasks that send accepts.
CREATE OR REPLACE FUNCTION zeke_jobs.task_names() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $$
  SELECT n.name FROM zeke_jobs.task AS t CROSS JOIN LATERAL unnest(t.id || t.aliases) AS n (name) ORDER BY n.name
$$;
