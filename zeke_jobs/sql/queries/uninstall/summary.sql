-- Return what an uninstall shows first: the database, the installation, the numbers of jobs, and the live processes.
SELECT
  current_database() AS database,
  (SELECT i.name FROM zeke_jobs.installation AS i) AS environment,
  (SELECT count(*) FROM zeke_jobs.queue) AS jobs,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state IN ('queued', 'consumed')) AS unfinished,
  ARRAY(
    SELECT format('%%s %%s (%%s)', w.kind, w.host, w.pid)
    FROM zeke_jobs.worker AS w WHERE w.heartbeat_on > zeke_jobs.now() - w.lost_after
    ORDER BY w.host, w.pid
  ) AS alive
