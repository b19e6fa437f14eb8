-- Return claims to the queue, started or not; returns the jobs that were still ours.
SELECT m AS id
FROM unnest(zeke_jobs.move(
  %(ids)s::uuid[], 'returned', '{}', (SELECT %(worker)s::uuid WHERE set_config('lock_timeout', '100ms', true) <> ''), %(claims)s::bigint[], %(after)s::double precision[],
  %(took)s::double precision[])) AS m
