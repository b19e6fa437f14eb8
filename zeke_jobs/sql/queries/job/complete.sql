-- Complete jobs whose handlers returned; returns the jobs that were still ours.
SELECT c AS id
FROM zeke_jobs.complete(
  %(worker)s::uuid, %(ids)s::uuid[], %(claims)s::bigint[], %(after)s::double precision[], %(took)s::double precision[],
  %(results)s::text[]) AS c
