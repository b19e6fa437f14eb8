-- Return claims to the queue, started or not; returns the jobs that were still ours.
SELECT m AS id
FROM unnest(zeke_jobs.move(
  %(ids)s::uuid[], 'returned', '{}', %(worker)s::uuid, %(claims)s::bigint[], %(after)s::double precision[],
  %(took)s::double precision[])) AS m
