-- `zeke-jobs why` reads these views. Readers may see which jobs share a key, but not the key, which may contain the value of a sensitive field.

CREATE OR REPLACE VIEW zeke_jobs.suspect AS
SELECT q.message_id AS id, q.queue_name AS queue, q.task, q.deaths, q.run_at, q.seq, greatest(q.run_at, q.mtime) AS since
FROM zeke_jobs.queue AS q
WHERE q.state = 'queued' AND q.deaths > 1 AND q.run_at <= zeke_jobs.now() AND NOT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = q.task);
COMMENT ON VIEW zeke_jobs.suspect IS 'Due jobs that must run alone, because two processes were lost while they ran them. Jobs of paused tasks are left out.';

CREATE OR REPLACE VIEW zeke_jobs.job_before AS
SELECT j.message_id AS job, q.message_id AS id, q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text AS status,
  q.run_at, coalesce(q.completed_on, q.created_on) AS since
FROM zeke_jobs.queue AS j CROSS JOIN LATERAL (
  -- This subquery repeats zeke_jobs.first_in_line, which readers of the view may not call.
  SELECT f.message_id, f.task, f.state, f.attempt, f.cancelled_on, f.run_at, f.completed_on, f.created_on FROM zeke_jobs.queue AS f
  WHERE f.order_hold IS NOT NULL AND (f.state IN ('queued', 'consumed') OR f.order_hold AND f.state = 'rejected' AND f.cancelled_on IS NULL)
    AND f.task = j.task AND f.key = j.key
  ORDER BY f.seq LIMIT 1) AS q
WHERE j.order_hold IS NOT NULL AND q.message_id <> j.message_id;
COMMENT ON VIEW zeke_jobs.job_before IS 'For each job in strict order: the first job of its key, if that is another job.';

CREATE OR REPLACE VIEW zeke_jobs.key_holder AS
SELECT DISTINCT ON (j.message_id, q.worker, q.claimed_on, CASE WHEN t.chunk IS NULL THEN q.message_id END)
  j.message_id AS job, q.message_id AS id, q.task, w.host, w.pid, coalesce(q.started_on, q.claimed_on) AS since
FROM zeke_jobs.queue AS j JOIN zeke_jobs.task AS t ON t.id = j.task OR j.task = ANY (t.aliases)
JOIN zeke_jobs.queue AS q ON q.state = 'consumed' AND q.task = ANY (t.id || t.aliases) AND q.key = j.key
LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker;
COMMENT ON VIEW zeke_jobs.key_holder IS 'For each job: the active jobs with its task and key, also under a former name of the task. A chunk has one row.';

CREATE OR REPLACE VIEW zeke_jobs.key_rate AS
SELECT j.message_id AS job, b.name, b.key_amount AS amount, b.key_period AS period, k.next_at FROM zeke_jobs.queue AS j
JOIN zeke_jobs.task AS t ON t.id = j.task OR j.task = ANY (t.aliases)
JOIN zeke_jobs.bucket AS b ON b.name = 'task/' || t.id AND b.unit = 'jobs' AND b.key_step IS NOT NULL
JOIN zeke_jobs.bucket_key AS k ON k.name = b.name AND k.key = j.key WHERE k.next_at > zeke_jobs.now();
COMMENT ON VIEW zeke_jobs.key_rate IS 'For each job: the rate of its key, if that rate lets no job start now.';

CREATE OR REPLACE VIEW zeke_jobs.chunk_wait AS
SELECT j.message_id AS job, d.due, c.size, c.wait, d.since + c.wait AS until FROM zeke_jobs.queue AS j
JOIN zeke_jobs.task AS t ON t.id = j.task
CROSS JOIN LATERAL (SELECT (t.chunk ->> 'size')::integer AS size, (t.chunk ->> 'wait')::interval AS wait) AS c
CROSS JOIN LATERAL (
  SELECT count(*) AS due, min(o.run_at) AS since FROM (
    SELECT q.run_at FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.queue_name = j.queue_name AND q.task = j.task AND q.priority = j.priority
      AND q.run_at <= zeke_jobs.now() AND q.deaths < 2 AND (t.chunk ->> 'by' IS NULL OR q.key = j.key)
    ORDER BY q.run_at, q.seq LIMIT c.size) AS o) AS d
WHERE j.deaths < 2 AND j.run_at <= zeke_jobs.now() AND d.due < c.size AND d.since + c.wait > zeke_jobs.now();
COMMENT ON VIEW zeke_jobs.chunk_wait IS 'For each due job whose chunk waits for more jobs: how many it would have now, its size and wait, and the end of the wait.';

-- For a queued job of a task with fair shares, count the jobs that will be claimed before it: "own" with its key, "others" with other keys, each up to p_most.
CREATE OR REPLACE FUNCTION zeke_jobs.turns_before(p_job uuid, p_most integer, OUT own bigint, OUT others bigint) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER AS $$
  WITH job AS MATERIALIZED (
    SELECT q.queue_name, q.task, q.key, q.priority, t.share -> 'weights' AS weights, o.jobs AS own,
      o.jobs / coalesce((t.share #>> ARRAY['weights', q.key])::integer, 1) + 1 AS turns
    FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task CROSS JOIN LATERAL (
      SELECT count(*) AS jobs FROM (
        SELECT 1 FROM zeke_jobs.queue AS o
        WHERE o.state = 'queued' AND o.queue_name = q.queue_name AND o.task = q.task AND o.key = q.key AND o.priority = q.priority
          AND (o.run_at, o.seq) < (q.run_at, q.seq)
        LIMIT p_most) AS x) AS o
    WHERE q.message_id = p_job
  )
  SELECT j.own, (
    SELECT count(*) FROM (
      SELECT 1 FROM zeke_jobs.keys_after(j.queue_name, j.task, '', p_most) AS p (key) CROSS JOIN LATERAL (
        SELECT 1 FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.queue_name = j.queue_name AND q.task = j.task AND q.key = p.key AND q.priority = j.priority
          AND q.run_at <= zeke_jobs.now()
        LIMIT j.turns * coalesce((j.weights ->> p.key)::integer, 1)) AS o
      WHERE p.key <> j.key LIMIT p_most) AS x
  )
  FROM job AS j $$;
