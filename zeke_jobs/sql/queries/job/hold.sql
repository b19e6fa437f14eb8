-- The fence of a handler's transaction: still ours, and not cancelled? With a result the job is completed, too. From here to the commit the
-- job's row is locked; a worker that stops short of it, frozen or cut off, is not waited for longer than this.
SELECT h.ours
FROM (
  SELECT
    zeke_jobs.hold(%(worker)s::uuid, %(id)s::uuid, %(claim)s::bigint, %(after)s::double precision, %(result)s) AS ours,
    set_config('idle_in_transaction_session_timeout', '15s', true) AS wait
) AS h
