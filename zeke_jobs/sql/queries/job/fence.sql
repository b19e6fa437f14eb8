-- The fence of a handler's transaction: whether the worker still holds the job, and the job is not cancelled. With a result it also completes the
-- job. The job's row is locked until the commit; if the worker freezes or is cut off before that, others wait no longer than this limit.
SELECT f.ours
FROM (
  SELECT
    zeke_jobs.fence(%(worker)s::uuid, %(id)s::uuid, %(claim)s::bigint, %(after)s::double precision, %(result)s) AS ours,
    set_config('idle_in_transaction_session_timeout', '15s', true) AS wait
) AS f
