-- End an attempt because its handler waits for an event, and return whether the worker still held the job.
SELECT zeke_jobs.wait_for(
  (SELECT %(worker)s::uuid WHERE set_config('lock_timeout', '100ms', true) <> ''), %(id)s::uuid, %(claim)s::bigint, %(event)s, %(delay)s::double precision, %(after)s::double precision, %(revision)s,
  %(took)s::double precision) AS ours
