-- Whether the worker still holds the job, which is not cancelled; with a result, complete it. Locks the job's row for 15 s at most.
SELECT f.ours
FROM (
  SELECT
    zeke_jobs.fence(%(worker)s::uuid, %(id)s::uuid, %(claim)s::bigint, %(after)s::double precision, %(result)s) AS ours,
    set_config('idle_in_transaction_session_timeout', '15s', true) AS wait
) AS f
