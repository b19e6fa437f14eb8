-- End an attempt that did not complete its job, and return whether the worker still held the job.
SELECT zeke_jobs.finish(
  (SELECT %(worker)s::uuid WHERE set_config('lock_timeout', '100ms', true) <> ''), %(id)s::uuid, %(claim)s::bigint, %(outcome)s, %(after)s::double precision, %(delay)s::double precision,
  %(until)s::timestamptz, %(reason)s, %(error)s::jsonb, %(revision)s,
  %(took)s::double precision, %(breaks)s) AS ours
