-- The fence of a handler's transaction: is the job still ours, and not cancelled? With a result it also completes the job. The job's row is
-- locked until the commit; if the worker freezes or is cut off before it, others wait no longer than this limit.
SELECT f.ours
FROM (
  SELECT
    zeke_jobs.fence(%(worker)s::uuid, %(id)s::uuid, %(claim)s::bigint, %(after)s::double precision, %(result)s) AS ours,
    set_config('idle_in_transaction_session_timeout', '15s', true) AS wait
) AS f
