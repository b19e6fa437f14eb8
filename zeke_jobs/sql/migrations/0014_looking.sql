-- What people and monitors look at: how long each task's jobs wait, how fast they go, who is at a limit, which waits are too long.
ALTER TABLE zeke_jobs.queue ADD COLUMN cancelled_by text;
COMMENT ON COLUMN zeke_jobs.queue.cancelled_by IS 'Who cancelled it, where that was said.';

CREATE TABLE zeke_jobs.breach (
  task text CONSTRAINT breach_pkey PRIMARY KEY,
  since timestamptz NOT NULL,
  noted_on timestamptz NOT NULL DEFAULT zeke_jobs.now()
);
COMMENT ON TABLE zeke_jobs.breach IS 'Tasks whose oldest due job waited longer than max_wait when a scheduler last looked.';
COMMENT ON COLUMN zeke_jobs.breach.since IS 'When that job had waited for max_wait.';

-- When the job that waits longest became due. Probes of indexes only, however long the backlog; one for each priority in it.
CREATE FUNCTION zeke_jobs.oldest_due(p_queue text, p_task text) RETURNS timestamptz
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0
AS $$
  WITH RECURSIVE level (priority) AS (
    SELECT (
      SELECT q.priority FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task
      ORDER BY q.priority DESC LIMIT 1)
    UNION ALL
    SELECT (
      SELECT q.priority FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.priority < l.priority
      ORDER BY q.priority DESC LIMIT 1)
    FROM level AS l
    WHERE l.priority IS NOT NULL
  )
  SELECT least(
    (SELECT min((
       SELECT q.run_at FROM zeke_jobs.queue AS q
       WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task
         AND q.priority = l.priority AND q.run_at <= zeke_jobs.now()
       ORDER BY q.run_at, q.seq LIMIT 1))
     FROM level AS l
     WHERE l.priority IS NOT NULL),
    (SELECT min(q.run_at) FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = p_queue AND q.run_at <= zeke_jobs.now() AND q.task = p_task))
$$;

-- Queued jobs of a task, due or not, counted up to a number: an exact count of a million would read a million entries.
CREATE FUNCTION zeke_jobs.depth(p_queue text, p_task text, p_most integer) RETURNS bigint
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0
AS $$
  SELECT count(*) FROM (
    (SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task
     LIMIT p_most)
    UNION ALL
    (SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = p_queue AND q.task = p_task)
    UNION ALL
    (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.waits AND q.task = p_task)
  ) AS queued
$$;

-- How fast the jobs of a task ended within the last minute, and how long the handler took for the newest ones of the last hour. From
-- at most p_sample rows of each kind: where more ended within the minute, from the time that so many took.
CREATE FUNCTION zeke_jobs.pace(
  p_task text, p_sample integer,
  OUT done_per_minute double precision, OUT failed_per_minute double precision,
  OUT mean double precision, OUT p50 double precision, OUT p95 double precision, OUT sample bigint)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0
AS $$
  WITH done AS (
    SELECT q.completed_on, extract(epoch FROM q.completed_on - q.started_on)::double precision AS took
    FROM zeke_jobs.queue AS q
    WHERE q.state = 'done' AND q.task = p_task AND q.completed_on > zeke_jobs.now() - interval '1 hour'
    ORDER BY q.completed_on DESC LIMIT p_sample
  ),
  failed AS (
    SELECT q.completed_on FROM zeke_jobs.queue AS q
    WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = p_task
      AND q.completed_on > zeke_jobs.now() - interval '1 minute'
    ORDER BY q.completed_on DESC LIMIT p_sample
  )
  SELECT
    d.recent * 60 / CASE WHEN d.recent < p_sample THEN 60 ELSE greatest(0.001, d.span) END,
    f.recent * 60 / CASE WHEN f.recent < p_sample THEN 60 ELSE greatest(0.001, f.span) END,
    d.mean, d.p50, d.p95, d.sample
  FROM (
    SELECT
      count(*) FILTER (WHERE completed_on > zeke_jobs.now() - interval '1 minute') AS recent,
      extract(epoch FROM zeke_jobs.now() - min(completed_on))::double precision AS span,
      avg(took) AS mean,
      percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS p50,
      percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS p95,
      count(*) AS sample
    FROM done
  ) AS d
  CROSS JOIN (
    SELECT count(*) AS recent, extract(epoch FROM zeke_jobs.now() - min(completed_on))::double precision AS span FROM failed
  ) AS f
$$;

-- What is queued under which name in which queue, by probes of the index: tasks of the catalogue, and names that it does not know.
CREATE FUNCTION zeke_jobs.queued_names() RETURNS TABLE (queue text, task text)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0
AS $$
  WITH RECURSIVE present (queue_name, task) AS (
    (SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths = 0
     ORDER BY q.queue_name, q.task LIMIT 1)
    UNION ALL
    SELECT n.queue_name, n.task
    FROM present AS p
    CROSS JOIN LATERAL (
      SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND (q.queue_name, q.task) > (p.queue_name, p.task)
      ORDER BY q.queue_name, q.task LIMIT 1) AS n
  )
  SELECT p.queue_name, p.task FROM present AS p
  UNION
  SELECT q.queue_name, q.task FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.deaths > 0
$$;

CREATE VIEW zeke_jobs.task_pause AS
SELECT t.id AS task, p.target, p.paused_by, p.paused_on, p.reason
FROM zeke_jobs.task AS t
JOIN zeke_jobs.pause AS p
  ON p.target = 'task/' || t.id OR p.target = 'queue/' || t.queue OR p.target = ANY (t.gates)
UNION ALL
SELECT
  t.id,
  CASE WHEN (t.definition ->> 'paused')::boolean OR NOT EXISTS (SELECT 1 FROM unnest(t.gates) AS g (name) WHERE starts_with(g.name, 'limit/'))
    THEN 'task/' || t.id
    -- Which of several the file pauses is not in the catalogue.
    ELSE (SELECT string_agg(g.name, ' or ' ORDER BY g.name) FROM unnest(t.gates) AS g (name) WHERE starts_with(g.name, 'limit/')) END,
  'jobs.yaml', r.applied_on, ''
FROM zeke_jobs.task AS t
LEFT JOIN zeke_jobs.revision AS r ON r.number = t.revision
WHERE t.paused;
COMMENT ON VIEW zeke_jobs.task_pause IS 'Each pause that holds back jobs of a task: by people, and by jobs.yaml.';

CREATE VIEW zeke_jobs.task_wait AS
SELECT
  t.id AS task,
  t.queue,
  (t.definition ->> 'max_wait')::interval AS max_wait,
  o.due AS oldest_due,
  zeke_jobs.now() - o.due AS wait,
  p.paused,
  coalesce(NOT p.paused AND zeke_jobs.now() - o.due > (t.definition ->> 'max_wait')::interval, false) AS is_late
FROM zeke_jobs.task AS t
CROSS JOIN LATERAL (SELECT zeke_jobs.oldest_due(t.queue, t.id) AS due) AS o
CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = t.id) AS paused) AS p;
COMMENT ON VIEW zeke_jobs.task_wait IS 'How long the oldest due job of each task waits, and whether that is longer than max_wait; while paused it is not.';

CREATE VIEW zeke_jobs.task_pace AS
SELECT t.id AS task, t.queue, p.done_per_minute, p.failed_per_minute, p.mean, p.p50, p.p95, p.sample
FROM zeke_jobs.task AS t
CROSS JOIN LATERAL zeke_jobs.pace(t.id, 500) AS p;
COMMENT ON VIEW zeke_jobs.task_pace IS 'Ends within the last minute, and seconds that handlers took for the newest 500 completed jobs of the last hour.';

CREATE VIEW zeke_jobs.task_depth AS
SELECT
  t.id AS task,
  t.queue,
  zeke_jobs.depth(t.queue, t.id, 2147483647) AS queued,
  (SELECT a.active FROM zeke_jobs.task_active AS a WHERE a.task = t.id) AS active,
  (t.definition #>> '{concurrency,limit}')::integer AS active_limit
FROM zeke_jobs.task AS t;
COMMENT ON VIEW zeke_jobs.task_depth IS 'Queued and active jobs of each task, counted exactly: reads an index entry for each queued job.';

CREATE VIEW zeke_jobs.gate_use AS
SELECT
  g.name,
  g.concurrency,
  coalesce(a.active, 0)::bigint AS active,
  g.rate_count,
  g.rate_period,
  r.used,
  CASE WHEN r.used >= g.rate_count THEN r.free_on END AS free_on
FROM zeke_jobs.gate AS g
CROSS JOIN LATERAL (
  SELECT sum(a.active) AS active FROM zeke_jobs.task_active AS a WHERE g.name = ANY (a.gates)
) AS a
CROSS JOIN LATERAL (
  SELECT
    CASE WHEN g.rate_count IS NOT NULL THEN coalesce(sum(u.count), 0) END AS used,
    min(u.used_on) FILTER (WHERE u.newer < g.rate_count) + g.rate_period + interval '250 ms' AS free_on
  FROM (
    SELECT u.used_on, u.count, sum(u.count) OVER (ORDER BY u.used_on DESC) - u.count AS newer
    FROM zeke_jobs.rate_use AS u
    WHERE u.gate = g.name AND u.used_on > zeke_jobs.now() - g.rate_period - interval '250 ms'
  ) AS u
) AS r;
COMMENT ON VIEW zeke_jobs.gate_use IS 'How full each limit is; free_on is when one that is at its rate lets the next job start.';

-- Which waits have become too long since the last look, and which no longer are. Each change is told to one caller only.
CREATE FUNCTION zeke_jobs.note_breaches() RETURNS TABLE (
  task text, event text, max_wait interval, wait interval, since timestamptz)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
  -- Two schedulers beat at the same second: the second one waits here, and then sees what the first one wrote.
  PERFORM zeke_jobs.take_lock('breach');
  RETURN QUERY
    WITH late AS MATERIALIZED (
      SELECT w.task, w.max_wait, w.wait, w.oldest_due + w.max_wait AS since FROM zeke_jobs.task_wait AS w WHERE w.is_late
    ),
    begun AS (
      INSERT INTO zeke_jobs.breach AS b (task, since)
      SELECT l.task, l.since FROM late AS l
      ON CONFLICT ON CONSTRAINT breach_pkey DO NOTHING
      RETURNING b.task
    ),
    ended AS (
      DELETE FROM zeke_jobs.breach AS b
      WHERE NOT EXISTS (SELECT 1 FROM late AS l WHERE l.task = b.task)
      RETURNING b.task, b.since
    )
    SELECT l.task, 'begun', l.max_wait, l.wait, l.since FROM late AS l JOIN begun AS b ON b.task = l.task
    UNION ALL
    SELECT e.task, 'ended', w.max_wait, w.wait, e.since FROM ended AS e LEFT JOIN zeke_jobs.task_wait AS w ON w.task = e.task;
END
$$;
