-- End attempts, all as completed or all as returned (queued again). Return the jobs that this worker no longer held. Fail if a row stays locked for 100 ms.
SELECT d.id FROM unnest(%(ids)s::uuid[]) AS d (id)
EXCEPT ALL
SELECT unnest(zeke_jobs.move(
  %(ids)s::uuid[], %(to)s, '{}', (SELECT %(worker)s::uuid WHERE set_config('lock_timeout', '100ms', true) <> ''), %(claims)s::bigint[],
  %(after)s::double precision[], %(took)s::double precision[], %(results)s::text[]))
