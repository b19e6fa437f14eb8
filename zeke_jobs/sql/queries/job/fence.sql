-- Lock a job, and return whether the worker holds it and it is not cancelled. If so, and a result is given, complete it. The transaction may idle for 15 s.
SELECT f.ours
FROM (
  SELECT
    zeke_jobs.fence(%(worker)s::uuid, %(id)s::uuid, %(claim)s::bigint, %(after)s::double precision, %(result)s) AS ours,
    set_config('idle_in_transaction_session_timeout', '15s', true) AS wait
) AS f
