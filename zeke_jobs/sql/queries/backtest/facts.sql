-- Facts about the reliability of a recorded period: time of the first job, revisions in force, backward steps of the clock, and
-- ticks whose jobs are gone.
SELECT
  least(
    (SELECT q.created_on FROM zeke_jobs.queue AS q ORDER BY q.created_on LIMIT 1),
    (SELECT h.created_on FROM zeke_jobs.history AS h ORDER BY h.purged_on LIMIT 1)) AS first_job,
  (SELECT coalesce(array_agg(r.number ORDER BY r.number), '{}') FROM zeke_jobs.revision AS r
   WHERE r.applied_on > %(begin)s AND r.applied_on < %(end)s
     AND EXISTS (SELECT 1 FROM zeke_jobs.revision AS b WHERE b.number < r.number)) AS revisions,
  (SELECT count(*) FROM (
     SELECT max(j.created_on) OVER (ORDER BY j.seq) - j.created_on AS back
     FROM (
       SELECT q.seq, q.created_on FROM zeke_jobs.queue AS q
       UNION ALL
       SELECT h.seq, h.created_on FROM zeke_jobs.history AS h WHERE h.seq IS NOT NULL AND h.purged_on >= %(begin)s
     ) AS j
     WHERE j.created_on >= %(begin)s AND j.created_on < %(end)s
   ) AS s
   WHERE s.back > interval '2 seconds') AS sent_back,
  (SELECT count(*) FROM zeke_jobs.tick AS t
   WHERE t.outcome = 'sent' AND t.scheduled_for >= %(begin)s AND t.scheduled_for < %(end)s
     AND NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = t.job)
     AND NOT EXISTS (SELECT 1 FROM zeke_jobs.history AS h WHERE h.id = t.job)) AS ticks_without_job,
  (SELECT coalesce(sum(w.threads), 0) FROM zeke_jobs.worker AS w WHERE w.kind = 'worker' AND NOT w.stopping) AS threads,
  (SELECT count(*) FROM zeke_jobs.worker AS w WHERE w.kind = 'worker' AND NOT w.stopping) AS processes,
  (SELECT coalesce(array_agg(p.target ORDER BY p.target), '{}') FROM zeke_jobs.pause AS p) AS pauses,
  zeke_jobs.now() AS now
