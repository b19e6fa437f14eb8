-- Complete jobs whose handlers returned; returns the jobs that were no longer ours. Waits no longer than this for a lock that another session holds, also
-- at the commit.
SELECT d.id FROM unnest(%(ids)s::uuid[]) AS d (id)
EXCEPT ALL
SELECT c
FROM zeke_jobs.complete(
  (SELECT %(worker)s::uuid WHERE set_config('lock_timeout', '100ms', true) <> ''), %(ids)s::uuid[], %(claims)s::bigint[],
  %(after)s::double precision[], %(took)s::double precision[], %(results)s::text[]) AS c
