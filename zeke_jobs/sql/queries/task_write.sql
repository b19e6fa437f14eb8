-- Make a task what jobs.yaml says; its revision moves only when something changed.
INSERT INTO zeke_jobs.task AS t (id, aliases, queue, description, definition, payload_schema, priority, per_key, gates,
  retry_limit, max_queued, unique_fields, unique_while, unique_period, sensitive, cron, paused, revision)
VALUES (%(id)s, %(aliases)s::text[], %(queue)s, %(description)s, %(definition)s::jsonb, %(payload_schema)s::jsonb,
  %(priority)s, %(per_key)s, %(gates)s::text[], %(retry_limit)s, %(max_queued)s, %(unique_fields)s::text[],
  %(unique_while)s, %(unique_period)s, %(sensitive)s::text[], %(cron)s::jsonb, %(paused)s, %(revision)s)
ON CONFLICT (id) DO UPDATE
SET aliases = excluded.aliases, queue = excluded.queue, description = excluded.description,
  definition = excluded.definition, payload_schema = excluded.payload_schema, priority = excluded.priority,
  per_key = excluded.per_key, gates = excluded.gates, retry_limit = excluded.retry_limit,
  max_queued = excluded.max_queued, unique_fields = excluded.unique_fields, unique_while = excluded.unique_while,
  unique_period = excluded.unique_period, sensitive = excluded.sensitive, cron = excluded.cron,
  paused = excluded.paused, revision = excluded.revision
WHERE (t.aliases, t.queue, t.description, t.definition, t.payload_schema, t.priority, t.per_key, t.gates, t.retry_limit,
    t.max_queued, t.unique_fields, t.unique_while, t.unique_period, t.sensitive, t.cron, t.paused)
  IS DISTINCT FROM (excluded.aliases, excluded.queue, excluded.description, excluded.definition,
    excluded.payload_schema, excluded.priority, excluded.per_key, excluded.gates, excluded.retry_limit,
    excluded.max_queued, excluded.unique_fields, excluded.unique_while, excluded.unique_period, excluded.sensitive,
    excluded.cron, excluded.paused)
