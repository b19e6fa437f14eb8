-- End attempts: all as completed, or all as returned, which puts their jobs back into the queue. Return the jobs that this worker no longer held. If a row stays locked for 100 ms, the statement fails.
SELECT d.id FROM unnest(%(ids)s::uuid[]) AS d (id)
EXCEPT ALL
SELECT unnest(zeke_jobs.move(
  %(ids)s::uuid[], %(to)s, '{}', (SELECT %(worker)s::uuid WHERE set_config('lock_timeout', '100ms', true) <> ''), %(claims)s::bigint[],
  %(after)s::double precision[], %(took)s::double precision[], %(results)s::text[]))
