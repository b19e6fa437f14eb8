-- People, dashboards and monitors read the views of this file.

CREATE OR REPLACE VIEW zeke_jobs.unmasked AS
SELECT q AS job, t.retry_limit, nullif(q.sensitive || n.fields, '{}') AS fields, NOT n.fields <@ coalesce(q.sensitive, '{}') AS grown
FROM zeke_jobs.queue AS q LEFT JOIN zeke_jobs.task AS t ON t.id = q.task CROSS JOIN LATERAL (
  SELECT coalesce(t.sensitive, (SELECT a.sensitive FROM zeke_jobs.task AS a WHERE q.task = ANY (a.aliases) LIMIT 1), '{}') AS fields) AS n;
COMMENT ON VIEW zeke_jobs.unmasked IS 'The jobs with their sensitive fields, unmasked, for the other views. The role zeke_jobs_reader may not read this view.';

CREATE OR REPLACE VIEW zeke_jobs.job AS
SELECT q.message_id AS id, q.task AS name, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS state,
  q.queue_name AS queue, q.priority,
  CASE WHEN s.fields IS NULL THEN q.message -> 'kwargs' ELSE zeke_jobs.mask(q.message -> 'kwargs', s.fields) END AS data,
  CASE WHEN q.state <> 'done' OR q.result = 'null' THEN NULL
    WHEN s.fields IS NULL THEN q.result
    ELSE zeke_jobs.mask(q.result, s.fields, q.message -> 'kwargs') END AS output,
  CASE
    WHEN q.state = 'rejected' AND q.cancelled_on IS NOT NULL THEN jsonb_build_object(
      'type', 'Cancelled',
      'message', coalesce(CASE WHEN s.fields IS NULL THEN q.extra ->> 'cancel_reason'
        ELSE zeke_jobs.mask_text(q.extra ->> 'cancel_reason', q.message -> 'kwargs', s.fields) END, 'cancelled'))
    WHEN q.state = 'rejected' OR q.attempt > 0 AND q.state = 'queued' THEN (
      SELECT CASE WHEN s.grown THEN jsonb_build_object('type', a.value #> '{error,type}', 'message', '***') ELSE a.value -> 'error' END
      FROM jsonb_array_elements(CASE jsonb_typeof(q.attempts) WHEN 'array' THEN q.attempts ELSE '[]' END) WITH ORDINALITY AS a (value, n)
      WHERE a.value ? 'error' ORDER BY a.n DESC LIMIT 1)
  END AS error,
  greatest(q.attempt - q.attempt_base - 1, 0) AS retry_count, coalesce(zeke_jobs.integer_of(q.message #> '{options,retry,limit}'), s.retry_limit, 0) AS retry_limit,
  q.attempt, CASE WHEN s.grown THEN zeke_jobs.brief_attempts(q.attempts) ELSE q.attempts END AS attempts, q.deaths,
  CASE WHEN s.grown AND jsonb_typeof(q.extra -> 'progress') = 'object' THEN (q.extra -> 'progress') || '{"note": "***"}' ELSE q.extra -> 'progress' END AS progress,
  CASE WHEN q.state <> 'queued' THEN NULL WHEN s.grown THEN CASE WHEN (q.extra ->> 'waiting_for') IS NOT NULL THEN '***' END
    WHEN s.fields IS NULL THEN q.extra ->> 'waiting_for' ELSE zeke_jobs.mask_text(q.extra ->> 'waiting_for', q.message -> 'kwargs', s.fields) END AS waiting_for,
  CASE WHEN s.fields IS NULL THEN q.key ELSE zeke_jobs.mask_text(q.key, q.message -> 'kwargs', s.fields) END AS key,
  CASE WHEN s.fields IS NULL THEN q.extra ->> 'unique_key' ELSE zeke_jobs.mask_text(q.extra ->> 'unique_key', q.message -> 'kwargs', s.fields) END AS unique_key,
  CASE WHEN s.fields IS NULL THEN q.extra ->> 'idempotency_key' ELSE zeke_jobs.mask_text(q.extra ->> 'idempotency_key', q.message -> 'kwargs', s.fields) END AS idempotency_key,
  q.parent, q.scheduled_for, q.revision, q.worker, q.run_at AS start_after, q.expires_on, q.created_on, q.started_on,
  q.completed_on, q.cancelled_on,
  CASE WHEN s.fields IS NULL THEN q.extra ->> 'cancel_reason' ELSE zeke_jobs.mask_text(q.extra ->> 'cancel_reason', q.message -> 'kwargs', s.fields) END AS cancel_reason,
  c.cost, c.currency,
  CASE WHEN s.fields IS NULL THEN q.extra ->> 'batch' ELSE zeke_jobs.mask_text(q.extra ->> 'batch', q.message -> 'kwargs', s.fields) END AS batch,
  q.extra ->> 'cancelled_by' AS cancelled_by,
  CASE WHEN jsonb_typeof(q.message #> '{options,timeout}') = 'number'
    THEN make_interval(secs => least((q.message #> '{options,timeout}')::numeric, 3155760000)::double precision) END AS timeout
FROM zeke_jobs.unmasked AS s CROSS JOIN LATERAL (SELECT (s.job).*) AS q
LEFT JOIN zeke_jobs.cost AS c ON c.job = q.message_id;
COMMENT ON VIEW zeke_jobs.job IS 'All jobs, in the words of pg-boss. Sensitive fields are masked.';

CREATE OR REPLACE VIEW zeke_jobs.job_step AS
SELECT p.job, CASE WHEN s.fields IS NULL THEN p.name ELSE zeke_jobs.mask_text(p.name, q.message -> 'kwargs', s.fields) END AS name, p.kept_on
FROM zeke_jobs.step AS p LEFT JOIN zeke_jobs.unmasked AS s ON (s.job).message_id = p.job
CROSS JOIN LATERAL (SELECT (s.job).*) AS q;
COMMENT ON VIEW zeke_jobs.job_step IS 'The finished steps of jobs, without their results, which may be secret.';

CREATE OR REPLACE VIEW zeke_jobs.finished AS
SELECT q.message_id AS id, q.task AS name, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS state,
  q.queue_name AS queue, q.priority,
  CASE WHEN s.fields IS NULL THEN q.key ELSE zeke_jobs.mask_text(q.key, q.message -> 'kwargs', s.fields) END AS key,
  q.attempt, q.deaths, q.parent, q.scheduled_for, q.revision, q.run_at, q.created_on, q.started_on, q.completed_on,
  NULL::timestamptz AS purged_on, c.cost, c.currency
FROM zeke_jobs.unmasked AS s CROSS JOIN LATERAL (SELECT (s.job).*) AS q
LEFT JOIN zeke_jobs.cost AS c ON c.job = q.message_id WHERE q.state IN ('done', 'rejected')
UNION ALL
SELECT h.id, h.name, h.state, h.queue, h.priority, CASE WHEN h.is_sensitive THEN '***' ELSE h.key END,
  h.attempt, h.deaths, h.parent, h.scheduled_for, h.revision, h.run_at, h.created_on, h.started_on, h.completed_on,
  h.purged_on, h.cost, h.currency
FROM zeke_jobs.history AS h WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = h.id);
COMMENT ON VIEW zeke_jobs.finished IS 'Ended jobs: the rows that are still kept, and the history of removed rows, which is kept for ninety days.';

CREATE OR REPLACE VIEW zeke_jobs.in_force AS
SELECT r.number, r.digest, r.applied_on, r.applied_by, r.message, r.origin, r.shown
FROM zeke_jobs.revision AS r ORDER BY r.number DESC LIMIT 1;
COMMENT ON VIEW zeke_jobs.in_force IS 'The current revision. shown has the text (in JSON) and the overrides, without sensitive fields of schedules and settings of services.';

CREATE OR REPLACE VIEW zeke_jobs.planned AS
SELECT concat_ws('/', t.id, c.value ->> 'name') AS schedule, t.id AS task, c.value - '{name,key}'::text[] AS cron, t.sensitive,
  ARRAY(SELECT concat_ws('/', n.name, c.value ->> 'name') FROM unnest(t.id || t.aliases) AS n (name)) AS names, c.value ->> 'key' AS key,
  NULL::text AS put_by, r.applied_on AS begun_on
FROM zeke_jobs.task AS t LEFT JOIN zeke_jobs.revision AS r ON r.number = t.revision
CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(t.cron) WHEN 'array' THEN t.cron ELSE jsonb_build_array(t.cron) END) AS c (value)
WHERE jsonb_typeof(c.value) = 'object'
UNION ALL
SELECT s.name, t.id, s.cron, t.sensitive, ARRAY[s.name], s.key, coalesce(s.put_by, 'a program'), s.put_on
FROM zeke_jobs.stored_schedule AS s
-- A subquery is used instead of zeke_jobs.find_task, because the function would need the caller's right to read the tasks.
CROSS JOIN LATERAL (
  SELECT o.id, o.sensitive FROM zeke_jobs.task AS o WHERE o.id = s.task OR s.task = ANY (o.aliases) ORDER BY (o.id = s.task) DESC LIMIT 1
) AS t
-- A schedule of jobs.yaml replaces a stored schedule with the same name.
WHERE jsonb_typeof(s.cron) = 'object' AND NOT EXISTS (
  SELECT 1 FROM zeke_jobs.task AS o
  CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(o.cron) WHEN 'array' THEN o.cron ELSE '[]' END) AS c (value)
  WHERE s.name = o.id || '/' || (c.value ->> 'name'));
COMMENT ON VIEW zeke_jobs.planned IS 'The unmasked schedules, which the scheduler reads. Only operators and workers may read this view.';

CREATE OR REPLACE VIEW zeke_jobs.schedule AS
SELECT t.task, t.cron ->> 'at' AS cron, t.cron ->> 'timezone' AS timezone, zeke_jobs.mask(t.cron -> 'payload', t.sensitive) AS payload,
  t.cron - '{at,timezone,payload,paused}'::text[] AS options,
  l.scheduled_for AS last_tick, l.outcome AS last_outcome, l.reason AS last_reason, l.job AS last_job,
  CASE WHEN l.outcome = 'skipped' THEN 'skipped' WHEN q.message_id IS NULL THEN h.state::text
    ELSE zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text END AS last_result,
  CASE WHEN s.cron = t.cron ->> 'at' AND s.timezone = t.cron ->> 'timezone' THEN s.next_tick END AS next_tick,
  p.target IS NOT NULL OR t.cron -> 'paused' = 'true' AS paused,
  coalesce(p.paused_by, CASE WHEN t.cron -> 'paused' = 'true' THEN coalesce(t.put_by, 'jobs.yaml') END) AS paused_by,
  coalesce(p.paused_on, CASE WHEN t.cron -> 'paused' = 'true' THEN t.begun_on END) AS paused_on,
  p.reason AS pause_reason,
  least(s.created_on, t.begun_on) AS created_on, -- a new schedule has no state until the scheduler reads the schedule
  coalesce(t.begun_on, s.created_on) AS updated_on, t.schedule,
  CASE WHEN t.sensitive = '{}' THEN t.key ELSE zeke_jobs.mask_text(t.key, t.cron -> 'payload', t.sensitive) END AS key
FROM zeke_jobs.planned AS t LEFT JOIN zeke_jobs.schedule_state AS s ON s.task = t.schedule
LEFT JOIN zeke_jobs.pause AS p ON p.target = 'schedule/' || t.schedule LEFT JOIN LATERAL (
  SELECT k.scheduled_for, k.outcome, k.reason, k.job FROM zeke_jobs.tick AS k WHERE k.task = t.schedule
  ORDER BY k.scheduled_for DESC LIMIT 1) AS l ON true
LEFT JOIN zeke_jobs.queue AS q ON q.message_id = l.job LEFT JOIN zeke_jobs.history AS h ON h.id = l.job;
COMMENT ON VIEW zeke_jobs.schedule IS 'The schedules, with their last and next ticks.';

-- Return the time at which the longest-waiting job of a task became due. This costs one index lookup for each priority.
CREATE OR REPLACE FUNCTION zeke_jobs.oldest_due(p_queue text, p_task text) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET enable_seqscan = off AS $$
  SELECT min(l.run_at) FROM zeke_jobs.first_jobs(p_queue, ARRAY[p_task]) AS l WHERE l.run_at <= zeke_jobs.now() $$;

-- Return the number of queued jobs of a task, at most p_most, because an exact count would read an index entry for each job.
CREATE OR REPLACE FUNCTION zeke_jobs.depth(p_queue text, p_task text, p_most integer) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET enable_seqscan = off AS $$
  SELECT count(*) FROM (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task LIMIT p_most) AS x $$;

CREATE OR REPLACE VIEW zeke_jobs.task_pause AS
SELECT t.id AS task, p.target, p.paused_by, p.paused_on, p.reason FROM zeke_jobs.task AS t
JOIN zeke_jobs.pause AS p
  ON p.target = 'task/' || t.id OR p.target = 'queue/' || t.queue OR p.target = ANY (t.limits)
UNION ALL
SELECT
  t.id, CASE WHEN t.definition -> 'paused' = 'true' OR NOT EXISTS (SELECT 1 FROM unnest(t.limits) AS g (name) WHERE starts_with(g.name, 'limit/'))
    THEN 'task/' || t.id
    -- The table zeke_jobs.task does not record which shared limit is paused in jobs.yaml, so all shared limits of the task are named.
    ELSE (SELECT string_agg(g.name, ' or ' ORDER BY g.name) FROM unnest(t.limits) AS g (name) WHERE starts_with(g.name, 'limit/')) END,
  'jobs.yaml', r.applied_on, ''
FROM zeke_jobs.task AS t LEFT JOIN zeke_jobs.revision AS r ON r.number = t.revision WHERE t.paused;
COMMENT ON VIEW zeke_jobs.task_pause IS 'Each pause, by a person or by jobs.yaml, that holds back jobs of a task.';

-- For autoscalers, count active and due jobs, up to each task's concurrency. Omit due jobs of paused tasks and, in strict order, all but a key's first job.
CREATE OR REPLACE FUNCTION zeke_jobs.due_jobs(queue text DEFAULT NULL, task text DEFAULT NULL) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET enable_seqscan = off AS $$
  SELECT coalesce(sum(least(a.active + d.due, zeke_jobs.integer_of(t.definition #> '{concurrency,limit}'))), 0)::bigint
  FROM zeke_jobs.task AS t CROSS JOIN LATERAL (
    SELECT count(*) AS active FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (t.id || t.aliases)) AS a
  CROSS JOIN LATERAL (
    SELECT count(*) AS due FROM (
      SELECT 1 FROM (
        SELECT q.key, q.order_hold FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.queue_name = t.queue AND q.task = t.id AND q.run_at <= zeke_jobs.now()
        LIMIT 10000) AS q
      WHERE q.order_hold IS NULL OR q.key IS NULL
      UNION ALL
      SELECT 1 FROM zeke_jobs.keys_after(t.queue, t.id, '', 10000) AS k (key)
      CROSS JOIN LATERAL (SELECT zeke_jobs.first_in_line(t.id, k.key) AS place OFFSET 0) AS l JOIN zeke_jobs.queue AS f ON f.ctid = l.place
      WHERE t.order_hold IS NOT NULL AND f.state = 'queued' AND f.run_at <= zeke_jobs.now()) AS j
    WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = t.id)) AS d
  WHERE t.queue = coalesce(due_jobs.queue, t.queue) AND (due_jobs.task IS NULL OR due_jobs.task = ANY (t.id || t.aliases)) $$;

-- Return how many jobs of a task ended within the last minute, and how long the newest jobs of the last hour took. Each query reads at most p_sample rows.
CREATE OR REPLACE FUNCTION zeke_jobs.pace(p_task text, p_sample integer, OUT done_per_minute double precision,
  OUT failed_per_minute double precision, OUT mean double precision, OUT p50 double precision, OUT p95 double precision,
  OUT sample bigint) LANGUAGE sql STABLE SECURITY DEFINER SET enable_seqscan = off AS $$
  SELECT max(n.per_minute) FILTER (WHERE s.state = 'done'), max(n.per_minute) FILTER (WHERE s.state = 'rejected'),
    max(n.mean) FILTER (WHERE s.state = 'done'), max(n.p50) FILTER (WHERE s.state = 'done'),
    max(n.p95) FILTER (WHERE s.state = 'done'), max(n.sample) FILTER (WHERE s.state = 'done')
  FROM unnest('{done,rejected}'::zeke_jobs.state[]) AS s (state) CROSS JOIN LATERAL (
    SELECT count(*) AS sample, avg(e.took) AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY e.took) AS p50,
      percentile_cont(0.95) WITHIN GROUP (ORDER BY e.took) AS p95,
      count(*) FILTER (WHERE e.age < 60) * 60 / CASE WHEN count(*) FILTER (WHERE e.age < 60) < p_sample THEN 60 ELSE greatest(0.001, max(e.age)) END AS per_minute
    FROM (
      SELECT extract(epoch FROM zeke_jobs.now() - q.completed_on)::double precision AS age,
        extract(epoch FROM q.completed_on - q.started_on)::double precision AS took
      FROM zeke_jobs.queue AS q
      WHERE q.state IN ('done', 'rejected') AND q.state = s.state AND q.cancelled_on IS NULL AND q.task = p_task
        AND q.completed_on > zeke_jobs.now() - CASE s.state WHEN 'done' THEN interval '1 hour' ELSE interval '1 minute' END
      ORDER BY q.completed_on DESC LIMIT p_sample) AS e) AS n $$;

CREATE OR REPLACE VIEW zeke_jobs.task_wait AS
SELECT t.id AS task, t.queue, zeke_jobs.length_of(t.definition ->> 'max_wait') AS max_wait, o.due AS oldest_due,
  zeke_jobs.now() - o.due AS wait, p.paused,
  coalesce(NOT p.paused AND zeke_jobs.now() - o.due > zeke_jobs.length_of(t.definition ->> 'max_wait'), false) AS is_late
FROM zeke_jobs.task AS t CROSS JOIN LATERAL (SELECT zeke_jobs.oldest_due(t.queue, t.id) AS due) AS o
CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = t.id) AS paused) AS p;
COMMENT ON VIEW zeke_jobs.task_wait IS 'How long the oldest due job of each task waits. is_late is true if the job waits longer than max_wait and the task is not paused.';

CREATE OR REPLACE VIEW zeke_jobs.task_pace AS
SELECT t.id AS task, t.queue, p.done_per_minute, p.failed_per_minute, p.mean, p.p50, p.p95, p.sample
FROM zeke_jobs.task AS t CROSS JOIN LATERAL zeke_jobs.pace(t.id, 500) AS p;
COMMENT ON VIEW zeke_jobs.task_pace IS 'How many jobs ended within the last minute, and how many seconds the newest 500 completed jobs of the last hour took.';

CREATE OR REPLACE VIEW zeke_jobs.task_depth AS
SELECT t.id AS task, t.queue, zeke_jobs.depth(t.queue, t.id, 2147483647) AS queued,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (t.id || t.aliases)) AS active,
  zeke_jobs.integer_of(t.definition #> '{concurrency,limit}') AS active_limit
FROM zeke_jobs.task AS t;
COMMENT ON VIEW zeke_jobs.task_depth IS 'The exact numbers of queued and active jobs of each task. The view reads an index entry for each queued job.';

-- Call zeke_jobs.room for logins that may not read the tables of limits, such as members of the role zeke_jobs_reader.
CREATE OR REPLACE FUNCTION zeke_jobs.room_of(p_limits text[]) RETURNS TABLE (name text, unit text, room integer, reason text, opens_on timestamptz)
LANGUAGE sql STABLE ROWS 2 SECURITY DEFINER SET enable_seqscan = off AS $$
  SELECT r.name, r.unit, r.room, r.reason, r.opens_on FROM zeke_jobs.room(p_limits, zeke_jobs.now()) AS r $$;

CREATE OR REPLACE VIEW zeke_jobs.limit_use AS
SELECT b.name, zeke_jobs.concurrency_of(b, zeke_jobs.now()) AS concurrency, b.concurrency AS full_concurrency,
  (
    SELECT count(DISTINCT (q.worker, q.claimed_on, CASE WHEN (q.task = ANY (b.chunked)) IS NOT TRUE THEN q.message_id END))
    FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (b.tasks)) AS active,
  b.amount::integer AS rate_count, b.period AS rate_period,
  CASE WHEN b.step IS NOT NULL AND b.next_at > zeke_jobs.now() THEN b.next_at END AS next_on,
  CASE WHEN c.closed THEN coalesce(b.closed_by, 'breaker') END AS closed_by,
  CASE WHEN c.closed THEN b.closed_until END AS closed_until, CASE WHEN c.closed THEN b.closed_why END AS closed_why,
  b.probe, u.units, r.room, r.unit, r.reason, r.opens_on
FROM zeke_jobs.bucket AS b CROSS JOIN LATERAL (
  -- After a successful probe, jobs may start again, so the column closed is false, although only the next claim, perhaps much later, resets the breaker.
  SELECT b.closed_until > zeke_jobs.now() OR b.tripped_on IS NOT NULL AND (
    SELECT e.failed FROM zeke_jobs.breaker_end AS e JOIN zeke_jobs.queue AS q ON q.message_id = e.job
    WHERE e.name = b.name AND e.job = b.probe AND e.ended_on >= greatest(b.closed_until, q.claimed_on)
    ORDER BY e.ended_on DESC LIMIT 1) IS NOT FALSE AS closed) AS c
CROSS JOIN LATERAL (
  SELECT jsonb_agg(jsonb_build_object(
    'unit', m.unit, 'amount', m.amount, 'seconds', extract(epoch FROM m.period), 'zone', m.zone,
    'used', greatest(0, coalesce((
      SELECT sum(h.amount) FROM zeke_jobs.bucket_change AS h WHERE h.name = m.name AND h.unit = m.unit AND h.key = ''), 0) + CASE
      -- Units such as tokens no longer count as used once the rate has made them available again.
      WHEN m.zone IS NULL THEN round((extract(epoch FROM greatest(m.next_at, e.empty) - e.empty) / m.step)::numeric, 1)
      WHEN m.spent_on = (zeke_jobs.now() AT TIME ZONE m.zone)::date THEN m.spent
      ELSE 0 END),
    'next_on', CASE WHEN m.zone IS NULL AND m.next_at > zeke_jobs.now() THEN m.next_at END) ORDER BY m.unit) AS units
  FROM zeke_jobs.bucket AS m
  CROSS JOIN LATERAL (SELECT zeke_jobs.now() - make_interval(secs => coalesce(m.slack, 0)) AS empty) AS e
  WHERE m.name = b.name AND m.unit <> 'jobs') AS u
LEFT JOIN LATERAL (SELECT o.room, o.unit, o.reason, o.opens_on FROM zeke_jobs.room_of(ARRAY[b.name]) AS o ORDER BY o.room, o.opens_on DESC LIMIT 1) AS r ON true
WHERE b.unit = 'jobs';
COMMENT ON VIEW zeke_jobs.limit_use IS
  'How full each limit is. room is how many jobs the limit lets start now. reason is the bound that allows no more. opens_on is when more may start.';

CREATE OR REPLACE VIEW zeke_jobs.task_cost AS
SELECT c.task, c.currency, sum(c.cost) AS cost FROM (
  SELECT c.task, c.currency, c.cost FROM zeke_jobs.cost AS c WHERE c.reported_on > zeke_jobs.now() - interval '1 day'
  UNION ALL
  SELECT h.name, h.currency, h.cost FROM zeke_jobs.history AS h
  WHERE h.cost IS NOT NULL AND h.completed_on > zeke_jobs.now() - interval '1 day') AS c
GROUP BY c.task, c.currency;
COMMENT ON VIEW zeke_jobs.task_cost IS 'The costs that jobs reported within the last day.';
