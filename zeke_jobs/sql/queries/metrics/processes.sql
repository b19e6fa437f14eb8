-- For the metrics, count the workers and schedulers that are live, stopping or lost, and their threads.
SELECT k.kind, s.state, count(w.id) AS processes, coalesce(sum(w.threads), 0) AS threads
FROM unnest(ARRAY['worker', 'scheduler']) AS k (kind) CROSS JOIN unnest(ARRAY['live', 'stopping', 'lost']) AS s (state)
LEFT JOIN zeke_jobs.worker AS w ON w.kind = k.kind AND s.state =
  CASE WHEN w.heartbeat_on < zeke_jobs.now() - w.lost_after THEN 'lost' WHEN w.stopping THEN 'stopping' ELSE 'live' END
GROUP BY k.kind, s.state
ORDER BY k.kind, s.state
