-- Return the time of the first job, the revisions of jobs.yaml that were applied in a period, and the current workers and pauses.
SELECT
  least(
    (SELECT q.created_on FROM zeke_jobs.queue AS q ORDER BY q.created_on LIMIT 1),
    (SELECT h.created_on FROM zeke_jobs.history AS h ORDER BY h.purged_on LIMIT 1)) AS first_job,
  (SELECT coalesce(array_agg(r.number ORDER BY r.number), '{}') FROM zeke_jobs.revision AS r
   WHERE r.applied_on > %(begin)s AND r.applied_on < %(end)s
     AND EXISTS (SELECT 1 FROM zeke_jobs.revision AS b WHERE b.number < r.number)) AS revisions,
  (SELECT coalesce(sum(w.threads), 0) FROM zeke_jobs.worker AS w WHERE w.kind = 'worker' AND NOT w.stopping) AS threads,
  (SELECT count(*) FROM zeke_jobs.worker AS w WHERE w.kind = 'worker' AND NOT w.stopping) AS processes,
  (SELECT coalesce(array_agg(p.target ORDER BY p.target), '{}') FROM zeke_jobs.pause AS p) AS pauses,
  zeke_jobs.now() AS now
