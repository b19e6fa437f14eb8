-- Complete finished jobs and claim due jobs in one round trip. The completion waits for a lock for at most 100 ms, and the claim for at most 1 s.
SELECT kind, message_id, claim, task, message, attempt, attempt_base, deaths, revision, parent, scheduled_for::text, claimed_on, sensitive,
  on_time, held_by, reason, wait
FROM zeke_jobs.complete_and_claim(
  (SELECT %(worker)s::uuid WHERE set_config('lock_timeout', '1s', true) <> ''), %(ids)s::uuid[], %(claims)s::bigint[],
  %(after)s::double precision[], %(took)s::double precision[], %(results)s::text[], %(queue)s::text, %(tasks)s::text[], %(want)s::integer,
  %(revision)s::integer, %(is_empty)s::boolean, %(free)s::integer, %(ahead)s::integer)
