-- A job carries the W3C trace context of whoever sent it, in its message's options, where the worker finds it.

CREATE FUNCTION zeke_jobs.message(
  p_queue text, p_task text, p_id uuid, p_payload jsonb, p_options jsonb, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT jsonb_build_object(
    'queue_name', p_queue, 'actor_name', p_task, 'args', '[]'::jsonb, 'kwargs', p_payload,
    'options', jsonb_strip_nulls(jsonb_build_object('traceparent', p_options -> 'traceparent')),
    'message_id', p_id, 'message_timestamp', floor(extract(epoch FROM p_now) * 1000)::bigint)
$$;

-- The three functions that send stay as they are, but for one expression each.
DO $$
DECLARE
  v_change record;
  v_text text;
BEGIN
  FOR v_change IN
    SELECT c.function, c.old, c.new
    FROM (VALUES
      ('zeke_jobs.enqueue(text, integer, jsonb, jsonb)'::regprocedure,
        'zeke_jobs.message(v_task.queue, v_task.id, v_id, p_payload, v_now)',
        'zeke_jobs.message(v_task.queue, v_task.id, v_id, p_payload, p_options, v_now)'),
      ('zeke_jobs.enqueue_many(text, integer, jsonb, uuid[], text[], jsonb)'::regprocedure,
        'zeke_jobs.message(v_task.queue, v_task.id, j.id, j.payload, v_now)',
        'zeke_jobs.message(v_task.queue, v_task.id, j.id, j.payload, p_options, v_now)'),
      ('zeke_jobs.send(text, jsonb, jsonb)'::regprocedure, '''scheduled_for'', ''unique''', '''scheduled_for'', ''traceparent'', ''unique''')
    ) AS c (function, old, new)
  LOOP
    v_text := replace(pg_get_functiondef(v_change.function), v_change.old, v_change.new);
    ASSERT strpos(v_text, v_change.new) > 0, format('%s is not as expected', v_change.function);
    EXECUTE v_text;
  END LOOP;
END
$$;

DROP FUNCTION zeke_jobs.message(text, text, uuid, jsonb, timestamptz);
