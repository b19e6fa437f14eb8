-- What a metrics exporter reads beside the views that people look at. All of it can be read with the rights of a reader.

-- Serve the sums below: most jobs say nothing of a cost, and are in neither.
CREATE INDEX queue_cost ON zeke_jobs.queue (completed_on) WHERE cost IS NOT NULL;
CREATE INDEX history_cost ON zeke_jobs.history (completed_on) WHERE cost IS NOT NULL;

CREATE VIEW zeke_jobs.task_cost AS
SELECT c.task, c.currency, sum(c.cost) AS cost
FROM (
  SELECT q.task, q.currency, q.cost FROM zeke_jobs.queue AS q
  WHERE q.cost IS NOT NULL AND (q.completed_on IS NULL OR q.completed_on > zeke_jobs.now() - interval '1 day')
  UNION ALL
  SELECT h.name, h.currency, h.cost FROM zeke_jobs.history AS h
  WHERE h.cost IS NOT NULL AND h.completed_on > zeke_jobs.now() - interval '1 day'
) AS c
GROUP BY c.task, c.currency;
COMMENT ON VIEW zeke_jobs.task_cost IS 'What jobs said that they cost: those that ended within the last day, and those that have not ended.';

CREATE VIEW zeke_jobs.task_failed AS
SELECT
  t.id AS task,
  t.queue,
  (SELECT count(*) FROM (
     SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = t.id
       AND q.completed_on > zeke_jobs.now() - interval '1 hour'
     LIMIT 10000) AS failed) AS failed
FROM zeke_jobs.task AS t;
COMMENT ON VIEW zeke_jobs.task_failed IS 'Jobs of each task that failed for good within the last hour, counted up to 10,000.';

CREATE VIEW zeke_jobs.task_served AS
SELECT t.id AS task, t.queue, count(w.id) AS processes, coalesce(sum(w.threads), 0) AS threads
FROM zeke_jobs.task AS t
LEFT JOIN zeke_jobs.worker AS w
  ON w.kind = 'worker' AND NOT w.stopping AND t.queue = ANY (w.queues) AND t.id = ANY (w.tasks)
    AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
GROUP BY t.id, t.queue;
COMMENT ON VIEW zeke_jobs.task_served IS 'Live worker processes that would run a job of each task, and their threads.';

CREATE VIEW zeke_jobs.process_state AS
SELECT p.kind, p.state, count(w.id) AS processes, coalesce(sum(w.threads), 0) AS threads
FROM (
  SELECT k.kind, s.state
  FROM unnest(ARRAY['worker', 'scheduler']) AS k (kind) CROSS JOIN unnest(ARRAY['live', 'stopping', 'lost']) AS s (state)
) AS p
LEFT JOIN (
  SELECT
    w.id,
    w.kind,
    w.threads,
    CASE
      WHEN w.heartbeat_on < zeke_jobs.now() - w.lost_after THEN 'lost'
      WHEN w.stopping THEN 'stopping'
      ELSE 'live'
    END AS state
  FROM zeke_jobs.worker AS w
) AS w ON w.kind = p.kind AND w.state = p.state
GROUP BY p.kind, p.state;
COMMENT ON VIEW zeke_jobs.process_state IS 'How many workers and schedulers are live, stopping, or have not proved life for too long.';

CREATE VIEW zeke_jobs.schedule_lag AS
SELECT
  s.task,
  s.paused,
  CASE WHEN s.paused THEN interval '0' ELSE greatest(interval '0', zeke_jobs.now() - s.next_tick) END AS lag,
  zeke_jobs.now() - b.beat_on AS silence
FROM zeke_jobs.schedule AS s
LEFT JOIN zeke_jobs.schedule_beat AS b ON true;
COMMENT ON VIEW zeke_jobs.schedule_lag IS 'How long the next tick of each schedule is overdue, and how long no scheduler got through all of them.';
