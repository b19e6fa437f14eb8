-- End attempts in one way, completed or returned; returns the jobs that were no longer ours. Waits no longer than this for a lock that another session
-- holds, also at the commit.
SELECT d.id FROM unnest(%(ids)s::uuid[]) AS d (id)
EXCEPT ALL
SELECT unnest(zeke_jobs.move(
  %(ids)s::uuid[], %(to)s, '{}', (SELECT %(worker)s::uuid WHERE set_config('lock_timeout', '100ms', true) <> ''), %(claims)s::bigint[],
  %(after)s::double precision[], %(took)s::double precision[], %(results)s::text[]))
