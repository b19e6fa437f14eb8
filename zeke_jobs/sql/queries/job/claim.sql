-- Claim due jobs. If there are finished jobs to store, complete_and_claim.sql is used instead.
SELECT kind, message_id, claim, task, message, attempt, attempt_base, deaths, revision, parent, scheduled_for::text, claimed_on, sensitive,
  on_time, held_by, reason, wait
FROM zeke_jobs.claim(
  %(worker)s::uuid, %(queue)s::text, %(tasks)s::text[], %(want)s::integer, %(revision)s::integer, %(is_empty)s::boolean, %(free)s::integer, %(ahead)s::integer)
