-- End an attempt other than by completion; returns whether the job was still ours.
SELECT zeke_jobs.finish(
  %(worker)s::uuid, %(id)s::uuid, %(claim)s::bigint, %(outcome)s, %(after)s::double precision, %(delay)s::double precision,
  %(until)s::timestamptz, %(reason)s, %(error)s::jsonb, %(revision)s,
  %(took)s::double precision, %(breaks)s) AS ours
